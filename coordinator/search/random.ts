/** Random search: every point is drawn independently. */
import { hash } from 'node:crypto';

const FRACTION_BITS = 53;

/**
 * Returns a number between 0 and 1, both excluded, for a parameter of a point. It depends on the arguments only, so a
 * search can continue at any point, and a further parameter does not change the values of the others. The numbers are
 * the leading bits of SHA-256, whose values for different arguments are independent for this purpose.
 * @param index the number of the point, from 0
 */
export function randomCoordinate(seed: number, index: number, parameter: string): number {
  const digest = hash('sha256', `${seed}/${index}/${parameter}`, 'buffer');
  const bits = digest.readBigUInt64BE() >> BigInt(64 - FRACTION_BITS);
  return (Number(bits) + 0.5) / 2 ** FRACTION_BITS;
}
