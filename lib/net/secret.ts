/** Checks the secrets that clients present. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** Returns the token in a header `authorization: Bearer TOKEN`; undefined if there is none. */
export function bearerToken(header: string | undefined): string | undefined {
  return /^Bearer (\S+)$/i.exec(header ?? '')?.[1];
}

/** The SHA-256 hash of a secret, for repeated comparisons. */
export class HashedSecret {
  readonly #digest: Buffer;
  /** The hash as lower-case hexadecimal. */
  readonly sha256: string;

  constructor(secret: string | Uint8Array) {
    this.#digest = digest(secret);
    this.sha256 = this.#digest.toString('hex');
  }

  /** Compares in constant time. */
  isSame(other: HashedSecret): boolean {
    return timingSafeEqual(this.#digest, other.#digest);
  }
}

/** Returns the token in a header `authorization: Bearer TOKEN`, hashed; undefined if there is none. */
export function hashedBearerToken(header: string | undefined): HashedSecret | undefined {
  const token = bearerToken(header);
  return token === undefined ? undefined : new HashedSecret(token);
}

/** Compares in constant time, so that the time does not reveal how much of a wrong secret matches. */
export function isSameSecret(given: string | Uint8Array, secret: string | Uint8Array): boolean {
  return timingSafeEqual(digest(given), digest(secret));
}

/** Hashes a secret, because timingSafeEqual requires inputs of equal length. */
function digest(secret: string | Uint8Array): Buffer {
  return createHash('sha256').update(secret).digest();
}
