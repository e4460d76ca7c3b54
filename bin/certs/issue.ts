/** Creates the private certificate authority and the certificates that it signs: EC P-256 keys, X.509, PEM. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

const DAY_MS = 86_400_000;
/** Certificates are backdated by this time, because the clocks of machines differ. */
const BACKDATE_MS = 3_600_000;

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export interface KeyAndCertificate {
  readonly certificate: string;
  /** The private key, in the format PKCS #8. */
  readonly key: string;
}

export interface CertificateSubject {
  readonly name: string;
  readonly role: string;
  /** The serial number in the subject, by which NATS distinguishes certificates with the same name. */
  readonly serial?: string;
  /**
   * Host names and addresses for which the certificate is valid as a server certificate. If undefined, the certificate
   * is valid for a client only.
   */
  readonly hosts?: readonly string[];
}

/**
 * Creates a certificate authority with a new key.
 * @param days the number of days for which the certificate is valid; a negative number creates an expired certificate
 */
export async function createAuthority(days: number): Promise<KeyAndCertificate> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: ['trawl authority'] }],
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity(days),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificate: pem(certificate), key: await privatePem(keys) };
}

/** Creates a new key, and a certificate for this key, signed by the authority. */
export async function issue(
  authority: KeyAndCertificate,
  subject: CertificateSubject,
  days: number,
): Promise<KeyAndCertificate> {
  const signer = new x509.X509Certificate(authority.certificate);
  const signingKey = await importKey(authority.key);
  const keys = await newKeys();
  const { clientAuth, serverAuth } = x509.ExtendedKeyUsage;
  const certificate = await x509.X509CertificateGenerator.create({
    subject: subjectName(subject),
    issuer: signer.subject,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    ...validity(days),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      await x509.AuthorityKeyIdentifierExtension.create(signer),
      new x509.ExtendedKeyUsageExtension(subject.hosts === undefined ? [clientAuth] : [serverAuth, clientAuth]),
      ...(subject.hosts === undefined ? [] : [new x509.SubjectAlternativeNameExtension(subject.hosts.map(hostName))]),
    ],
  });
  return { certificate: pem(certificate), key: await privatePem(keys) };
}

/**
 * Signs a new certificate with the subject, the key and the extensions of an existing certificate. The new certificate
 * is valid for `days` days.
 * @returns the new certificate
 */
export async function renewed(authority: KeyAndCertificate, certificate: string, days: number): Promise<string> {
  const signer = new x509.X509Certificate(authority.certificate);
  const old = new x509.X509Certificate(certificate);
  return pem(
    await x509.X509CertificateGenerator.create({
      subject: old.subjectName,
      issuer: signer.subject,
      publicKey: old.publicKey,
      signingKey: await importKey(authority.key),
      signingAlgorithm: ALGORITHM,
      ...validity(days),
      extensions: old.extensions,
    }),
  );
}

/** The object identifier of the name attribute `serialNumber` (X.520). */
const SERIAL_NUMBER = '2.5.4.5';

function subjectName({ name, role, serial }: CertificateSubject): x509.JsonName {
  const serialNumber = serial === undefined ? [] : [{ [SERIAL_NUMBER]: [serial] }];
  return [...serialNumber, { OU: [role] }, { CN: [name] }];
}

function hostName(host: string): { type: 'ip' | 'dns'; value: string } {
  return { type: isIP(host) === 0 ? 'dns' : 'ip', value: host };
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  const end = Date.now() + days * DAY_MS;
  return { notBefore: new Date(Math.min(Date.now(), end) - BACKDATE_MS), notAfter: new Date(end) };
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

const PRIVATE = 'PRIVATE KEY';

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}

async function privatePem({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  return `${x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), PRIVATE)}\n`;
}

function importKey(key: string): Promise<webcrypto.CryptoKey> {
  return webcrypto.subtle.importKey('pkcs8', x509.PemConverter.decodeFirst(key), ALGORITHM, false, ['sign']);
}
