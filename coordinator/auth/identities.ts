/**
 * Reads the known identities from a file that `trawl certs` writes. An identity has a name, a role, the hash of a token
 * and, for an agent, the serial number from the subject of its certificate. The coordinator reloads the file after each
 * change, so that removing an identity from the file revokes the identity.
 */

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import * as z from 'zod';
import { sha256Of } from '../../lib/files/checksum.ts';
import type { HashedSecret } from '../../lib/net/secret.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { BadInputError } from '../../proto/errors.ts';
import { ROLES } from '../../proto/roles.ts';

/** The name of the file in the server's identity folder. */
export const IDENTITIES_FILE = 'identities.json';
const CHECK_INTERVAL_MS = 500;

const known = z.object({
  name: z.string(),
  role: z.enum(ROLES),
  tokenSha256: z.string(),
  /**
   * The serial number in the subject of an agent's certificate. Absent for all other roles, and for an agent whose
   * identity was written by an earlier version of trawl.
   */
  serial: z.string().optional(),
});
const identitiesSchema = z.object({ identities: z.array(known) });

export type KnownIdentity = Readonly<z.infer<typeof known>>;

/**
 * Returns the hash of a token, as stored in the file. A token is 256 random bits, so a plain hash does not reveal it.
 */
export function tokenHash(token: string): string {
  return sha256Of(token);
}

/**
 * Reads the known identities from the file.
 * @throws {BadInputError} if the file is missing or invalid
 */
export function readIdentities(dir: string): readonly KnownIdentity[] {
  const file = join(dir, IDENTITIES_FILE);
  try {
    return identitiesSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).identities;
  } catch (error) {
    throw new BadInputError(`cannot read the identities in ${file}: ${errorMessage(error)}`, { cause: error });
  }
}

export class Identities {
  readonly #dir: string;
  readonly #onUnreadable: (error: unknown) => void;
  #onRevoked: (revoked: readonly KnownIdentity[]) => void = () => {};
  #byHash: ReadonlyMap<string, KnownIdentity>;
  #stamp: string;
  #checkedAt = performance.now();

  /**
   * @param dir the server's identity folder
   * @param onUnreadable called when the file becomes unreadable; the last known identities remain valid
   * @throws {BadInputError} if the file is missing or invalid
   */
  constructor(dir: string, onUnreadable: (error: unknown) => void) {
    this.#dir = dir;
    this.#onUnreadable = onUnreadable;
    this.#stamp = this.#fileStamp();
    this.#byHash = byHash(readIdentities(dir));
  }

  /**
   * Starts regular checks of the file.
   * @param onRevoked called with the identities whose tokens are no longer valid; new tokens are accepted only after
   * this call
   * @returns a function that stops the checks
   */
  watch(onRevoked: (revoked: readonly KnownIdentity[]) => void): () => void {
    this.#onRevoked = onRevoked;
    const timer = setInterval(() => this.#reload(), CHECK_INTERVAL_MS);
    return () => clearInterval(timer);
  }

  /** Whether an agent has a valid identity. */
  hasAgent(name: string): boolean {
    for (const known of this.#byHash.values()) if (known.role === 'agent' && known.name === name) return true;
    return false;
  }

  /** Returns the identity of a token, or undefined if the token is unknown or revoked. */
  find({ sha256 }: HashedSecret): KnownIdentity | undefined {
    if (performance.now() - this.#checkedAt >= CHECK_INTERVAL_MS) this.#reload();
    if (!this.#byHash.has(sha256)) this.#reload();
    return this.#byHash.get(sha256);
  }

  #reload(): void {
    this.#checkedAt = performance.now();
    const stamp = this.#fileStamp();
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    const before = this.#byHash;
    try {
      this.#byHash = byHash(readIdentities(this.#dir));
    } catch (error) {
      this.#onUnreadable(error);
      return;
    }
    const revoked = [...before].filter(([hash]) => !this.#byHash.has(hash)).map(([, identity]) => identity);
    if (revoked.length > 0) this.#onRevoked(revoked);
  }

  #fileStamp(): string {
    const stat = statSync(join(this.#dir, IDENTITIES_FILE), { throwIfNoEntry: false });
    return `${stat?.ino} ${stat?.mtimeMs} ${stat?.size}`;
  }
}

function byHash(identities: readonly KnownIdentity[]): ReadonlyMap<string, KnownIdentity> {
  return new Map(identities.map((identity) => [identity.tokenSha256, identity]));
}
