/** Checks the secrets that clients present. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** Returns the token in a header `authorization: Bearer TOKEN`; undefined if there is none. */
export function bearerToken(header: string | undefined): string | undefined {
  return /^Bearer (\S+)$/i.exec(header ?? '')?.[1];
}

/** Compares in constant time, so that the time does not reveal how much of a wrong secret matches. */
export function isSameSecret(given: string | Uint8Array, secret: string | Uint8Array): boolean {
  return timingSafeEqual(digest(given), digest(secret));
}

/** Hashes make the lengths equal, which timingSafeEqual requires. */
function digest(secret: string | Uint8Array): Buffer {
  return createHash('sha256').update(secret).digest();
}
