/** Determines whether a certificate has expired or will expire soon. */

/** The warnings begin this many seconds before a certificate expires. */
const EXPIRY_WARNING_S = 7 * 86_400;

export type ExpiryState = 'valid' | 'soon' | 'expired';

/**
 * @param expires the time at which the certificate expires, as Unix time in seconds
 * @param now the current Unix time in milliseconds
 */
export function expiryState(expires: number, now: number): ExpiryState {
  const leftS = expires - now / 1_000;
  if (leftS <= 0) return 'expired';
  return leftS <= EXPIRY_WARNING_S ? 'soon' : 'valid';
}
