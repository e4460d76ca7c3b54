/**
 * Who a part of trawl is, for the others: a folder that `trawl certs` makes, with a certificate, its key and a token.
 * The certificate's subject says the name (CN) and the role (OU).
 */

import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BadInputError, RefusedError } from '../../proto/errors.ts';
import type { Role } from '../../proto/roles.ts';
import { COORDINATOR } from '../../proto/subjects.ts';
import { errorMessage } from '../text/error-message.ts';

/** What an identity's folder holds. */
export const IDENTITY_FILES = {
  /** The certificate of the authority that all trust. */
  authority: 'ca.pem',
  certificate: 'cert.pem',
  key: 'key.pem',
  /** Absent from the server's. */
  token: 'token',
  /** Where the servers are, as `certs init` was told. */
  servers: 'servers.json',
} as const;

/** The name on every agent's certificate, for who reads their metrics over TLS: agents have no names as hosts. */
export const AGENT_HOST = 'trawl-agent';

export interface Identity {
  readonly name: string;
  readonly role: Role | typeof COORDINATOR;
  /** PEM. */
  readonly authority: Buffer;
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** Empty for the coordinator's. */
  readonly token: string;
  readonly servers: Servers;
  /** Unix time in seconds at which the certificate runs out. */
  readonly expires: number;
}

export interface Servers {
  /** HOST:PORT of the coordinator. */
  readonly coordinator?: string;
  /** URL of the NATS server, or those of a cluster with commas between. */
  readonly nats?: string;
}

/**
 * @param wanted the roles that are of use here
 * @throws {BadInputError} when the folder is no identity
 * @throws {RefusedError} when it is of another role, or its certificate has run out
 */
export function readIdentity(dir: string, wanted: readonly Identity['role'][]): Identity {
  const authority = read(dir, IDENTITY_FILES.authority);
  const certificate = read(dir, IDENTITY_FILES.certificate);
  const key = read(dir, IDENTITY_FILES.key);
  const { name, role, validTo } = parse(dir, certificate);
  if (!(wanted as readonly string[]).includes(role)) {
    throw new RefusedError(`${dir} is the identity of ${role} ${name}: expected one of role ${wanted.join(' or ')}`);
  }
  if (Date.parse(validTo) < Date.now()) {
    throw new RefusedError(`the certificate in ${dir} ran out on ${validTo}: make another with "trawl certs"`);
  }
  const token = role === COORDINATOR ? '' : read(dir, IDENTITY_FILES.token).toString('utf8').trim();
  const expires = Date.parse(validTo) / 1000;
  const servers = readServers(dir);
  return { name, role: role as Identity['role'], authority, certificate, key, token, servers, expires };
}

function read(dir: string, file: string): Buffer {
  try {
    return readFileSync(join(dir, file));
  } catch (error) {
    const why = errorMessage(error);
    throw new BadInputError(`${dir} is no identity: ${why}. "trawl certs" makes them`, { cause: error });
  }
}

function parse(dir: string, certificate: Buffer): { name: string; role: string; validTo: string } {
  try {
    const { subject, validTo } = new X509Certificate(certificate);
    const part = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(subject)?.[1] ?? '';
    return { name: part('CN'), role: part('OU'), validTo };
  } catch (error) {
    throw new BadInputError(`${join(dir, IDENTITY_FILES.certificate)} is no certificate`, { cause: error });
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
