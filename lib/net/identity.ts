/**
 * Reads identities: folders that `trawl certs` creates, each with a certificate, its key and a token. The subject of
 * the certificate contains the name (CN) and the role (OU) of its holder.
 */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BadInputError, RejectedError } from '../../proto/errors.ts';
import type { Role } from '../../proto/roles.ts';
import { COORDINATOR } from '../../proto/subjects.ts';
import { errorMessage } from '../text/error-message.ts';

/** Files in an identity's folder. */
export const IDENTITY_FILES = {
  /** The certificate of the authority. */
  authority: 'ca.pem',
  certificate: 'cert.pem',
  key: 'key.pem',
  /** The file of the bearer token. The coordinator's identity has no such file. */
  token: 'token',
  /** The addresses of the coordinator and the NATS server, as they were given to `trawl certs init`. */
  servers: 'servers.json',
} as const;

/**
 * The host name in every agent's certificate. Prometheus verifies this name when it scrapes over TLS, because an
 * agent's certificate does not contain the name of the agent's machine.
 */
export const AGENT_HOST = 'trawl-agent';

export interface Identity {
  /** The folder that the identity was read from. */
  readonly dir: string;
  readonly name: string;
  readonly role: Role | typeof COORDINATOR;
  /** The certificate of the authority, in PEM format. */
  readonly authority: Buffer;
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** The bearer token. Empty in the coordinator's identity. */
  readonly token: string;
  readonly servers: Servers;
  /** The time at which the certificate expires, as Unix time in seconds. */
  readonly expires: number;
}

export interface Servers {
  /** HOST:PORT of the coordinator. */
  readonly coordinator?: string;
  /** URL of the NATS server. The URLs of a cluster are separated by commas. */
  readonly nats?: string;
}

/**
 * Reads an identity.
 * @param acceptedRoles the identity must have one of these roles
 * @throws {BadInputError} if the folder is not an identity
 * @throws {RejectedError} if the identity has none of the accepted roles, or its certificate has expired
 */
export function readIdentity(dir: string, acceptedRoles: readonly Identity['role'][]): Identity {
  const authority = read(dir, IDENTITY_FILES.authority);
  const certificate = read(dir, IDENTITY_FILES.certificate);
  const key = read(dir, IDENTITY_FILES.key);
  const { name, role, expires } = factsOf(dir, certificate);
  if (!(acceptedRoles as readonly string[]).includes(role)) {
    throw new RejectedError(
      `${dir} is the identity of ${role} ${name}: expected an identity with the role ${acceptedRoles.join(' or ')}`,
    );
  }
  if (expires * 1_000 < Date.now()) {
    const date = new Date(expires * 1_000).toISOString();
    throw new RejectedError(`the certificate in ${dir} expired on ${date}: renew it with "trawl certs renew"`);
  }
  if (!isPair(certificate, key)) {
    throw new BadInputError(`${dir}: ${IDENTITY_FILES.key} is not the key of ${IDENTITY_FILES.certificate}`);
  }
  const token = role === COORDINATOR ? '' : read(dir, IDENTITY_FILES.token).toString('utf8').trim();
  const servers = readServers(dir);
  return { dir, name, role: role as Identity['role'], authority, certificate, key, token, servers, expires };
}

function read(dir: string, file: string): Buffer {
  try {
    return readFileSync(join(dir, file));
  } catch (error) {
    const reason = errorMessage(error);
    throw new BadInputError(`${dir} is not an identity: ${reason}; create one with "trawl certs"`, { cause: error });
  }
}

/** The facts that are read from a certificate. */
export interface CertificateFacts {
  readonly name: string;
  readonly role: string;
  /** The time at which the certificate expires, as Unix time in seconds. */
  readonly expires: number;
}

/**
 * Reads a certificate.
 * @throws {Error} if the bytes are not a certificate
 */
export function certificateFacts(certificate: Buffer): CertificateFacts {
  const { subject, validTo } = new X509Certificate(certificate);
  const part = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(subject)?.[1] ?? '';
  return { name: part('CN'), role: part('OU'), expires: Date.parse(validTo) / 1_000 };
}

function factsOf(dir: string, certificate: Buffer): CertificateFacts {
  try {
    return certificateFacts(certificate);
  } catch (error) {
    throw new BadInputError(`${join(dir, IDENTITY_FILES.certificate)} is not a certificate`, { cause: error });
  }
}

function isPair(certificate: Buffer, key: Buffer): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

function readServers(dir: string): Servers {
  const file = join(dir, IDENTITY_FILES.servers);
  if (!existsSync(file)) return {};
  try {
    const { coordinator, nats } = JSON.parse(readFileSync(file, 'utf8'));
    return {
      ...(typeof coordinator === 'string' ? { coordinator } : {}),
      ...(typeof nats === 'string' ? { nats } : {}),
    };
  } catch (error) {
    throw new BadInputError(`${file} is not the JSON object that "trawl certs" writes`, { cause: error });
  }
}
