/** Implements random search, in which every point is drawn independently. */
import { hash } from 'node:crypto';

/** A number is formed from two integers with these numbers of bits: 53 in total, as in the significand of a double. */
const HIGH_BITS = 32;
const LOW_BITS = 21;

/**
 * Returns a number between 0 and 1, both excluded, for a parameter of a point. The number depends only on the
 * arguments. A search can therefore resume at any point, and a new parameter does not change the values of the other
 * parameters. The numbers are the leading bits of a SHA-256 hash of the arguments, so the numbers for different
 * arguments are practically independent.
 * @param index the number of the point, from 0
 */
export function randomCoordinate(seed: number, index: number, parameter: string): number {
  const digest = hash('sha256', `${seed}/${index}/${parameter}`, 'buffer');
  const bits = digest.readUInt32BE(0) * 2 ** LOW_BITS + (digest.readUInt32BE(4) >>> (HIGH_BITS - LOW_BITS));
  // For the largest value of `bits`, the sum is rounded up, so the quotient would be 1.
  return Math.min((bits + 0.5) / 2 ** (HIGH_BITS + LOW_BITS), 1 - Number.EPSILON / 2);
}
