/**
 * Who may come: names, roles and the hashes of tokens, in a file that `trawl certs` writes and the coordinator reads
 * again whenever it has changed. Whoever is taken out of it is out.
 */

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { sha256Of } from '../../lib/files/checksum.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { BadInputError } from '../../proto/errors.ts';
import { ROLES } from '../../proto/roles.ts';

/** In the server's identity folder. */
export const IDENTITIES_FILE = 'identities.json';
/** How old what is known of the file may be. */
const LOOK_AGAIN_MS = 500;

const known = z.object({ name: z.string(), role: z.enum(ROLES), tokenSha256: z.string() });
const identitiesSchema = z.object({ identities: z.array(known) });

/** Someone whom the coordinator knows. */
export type KnownIdentity = Readonly<z.infer<typeof known>>;

/** What is kept of a token. A token is 256 random bits: a plain hash tells nothing about it. */
export function tokenHash(token: string): string {
  return sha256Of(token);
}

/** @throws {BadInputError} when there is no such file, or it is none */
export function readIdentities(dir: string): readonly KnownIdentity[] {
  const file = join(dir, IDENTITIES_FILE);
  try {
    return identitiesSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).identities;
  } catch (error) {
    const why = errorMessage(error);
    throw new BadInputError(`${file} does not say who may come: ${why}`, { cause: error });
  }
}

export class Identities {
  readonly #dir: string;
  readonly #onUnreadable: (error: unknown) => void;
  #byHash: ReadonlyMap<string, KnownIdentity>;
  #stamp: string;
  #lookedAt = performance.now();

  /**
   * @param dir the server's identity folder
   * @param onUnreadable told when the file has become unreadable: whom it named last goes on being known
   * @throws {BadInputError}
   */
  constructor(dir: string, onUnreadable: (error: unknown) => void) {
    this.#dir = dir;
    this.#onUnreadable = onUnreadable;
    this.#stamp = this.#fileStamp();
    this.#byHash = byHash(readIdentities(dir));
  }

  /** Whose token this is; undefined: nobody's, or nobody's any more. */
  find(token: string): KnownIdentity | undefined {
    const hash = tokenHash(token);
    if (performance.now() - this.#lookedAt >= LOOK_AGAIN_MS) this.#look();
    // Who was made known just now gets in at once.
    if (!this.#byHash.has(hash)) this.#look();
    return this.#byHash.get(hash);
  }

  #look(): void {
    this.#lookedAt = performance.now();
    const stamp = this.#fileStamp();
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      this.#byHash = byHash(readIdentities(this.#dir));
    } catch (error) {
      this.#onUnreadable(error);
    }
  }

  #fileStamp(): string {
    const stat = statSync(join(this.#dir, IDENTITIES_FILE), { throwIfNoEntry: false });
    return `${stat?.ino} ${stat?.mtimeMs} ${stat?.size}`;
  }
}

function byHash(identities: readonly KnownIdentity[]): ReadonlyMap<string, KnownIdentity> {
  return new Map(identities.map((identity) => [identity.tokenSha256, identity]));
}
