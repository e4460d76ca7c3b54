/** Damages bytes at random. */
import type { TestRandom } from '../support/random.ts';
import { noise } from './values.ts';

export type Damage = (bytes: Uint8Array, random: TestRandom) => Uint8Array;

const truncated: Damage = (bytes, random) => bytes.subarray(0, Math.floor(random.next() * bytes.length));

const flipped: Damage = (bytes, random) => {
  const out = Uint8Array.from(bytes);
  for (let flips = random.pick([1, 1, 2, 8]); flips > 0 && out.length > 0; flips--) {
    const at = Math.floor(random.next() * out.length);
    out[at] = (out[at] ?? 0) ^ (1 << Math.floor(random.next() * 8));
  }
  return out;
};

const spliced: Damage = (bytes, random) => {
  const at = Math.floor(random.next() * (bytes.length + 1));
  return Buffer.concat([bytes.subarray(0, at), noise(random, 20), bytes.subarray(at)]);
};

export const DAMAGES: readonly Damage[] = [truncated, flipped, spliced];
