/** Renews certificates: signs new certificates with the same names, host names and keys, and with a new expiry. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readIdentities } from '../../coordinator/auth/identities.ts';
import { certificateFacts, IDENTITY_FILES } from '../../lib/net/identity.ts';
import { BadInputError, NotFoundError } from '../../proto/errors.ts';
import { identityFolder, readAuthority } from './authority.ts';
import { renewed } from './issue.ts';
import { isNatsFolder } from './nats.ts';
import { writePrivately } from './private-file.ts';

export interface Renewal {
  /** The folder of the identity. */
  readonly folder: string;
  /** Unix time in milliseconds. */
  readonly expiresMs: number;
}

/**
 * Renews certificates in the folder of `trawl certs`. Keys and tokens stay as they are, so only `cert.pem` changes,
 * and the NATS servers need no new accounts.
 * @param names the folders to renew, such as `agent-NAME`; empty means all
 * @throws {NotFoundError} if a folder has no valid identity
 * @throws {BadInputError} if the authority is missing or expires earlier than the new certificates
 */
export async function renewIdentities(dir: string, names: readonly string[], days: number): Promise<Renewal[]> {
  const authority = readAuthority(dir);
  const { expires: authorityExpires } = certificateFacts(Buffer.from(authority.certificate));
  const valid = renewable(dir);
  for (const name of names) {
    if (valid.includes(name)) continue;
    throw new NotFoundError(
      `there is no identity ${JSON.stringify(name)} to renew in ${dir}; identities: ${valid.join(', ') || 'none'}`,
    );
  }
  const renewals: Renewal[] = [];
  for (const name of names.length === 0 ? valid : names) {
    const file = join(dir, name, IDENTITY_FILES.certificate);
    const certificate = await renewed(authority, readFileSync(file, 'utf8'), days);
    const expiresMs = certificateFacts(Buffer.from(certificate)).expires * 1_000;
    if (expiresMs > authorityExpires * 1_000) {
      throw new BadInputError(
        `the authority expires on ${new Date(authorityExpires * 1_000).toISOString()}, before the new certificates: ` +
          `use fewer --days, or create a new authority with "trawl certs init --force"`,
      );
    }
    writePrivately(file, certificate);
    renewals.push({ folder: join(dir, name), expiresMs });
  }
  return renewals;
}

/** Returns the names of the folders with a valid identity. Revoked identities are omitted. */
function renewable(dir: string): string[] {
  const known = new Set(readIdentities(join(dir, 'server')).map(identityFolder));
  return readdirSync(dir)
    .filter((name) => name === 'server' || known.has(name) || isNatsFolder(dir, name))
    .filter((name) => existsSync(join(dir, name, IDENTITY_FILES.certificate)));
}
