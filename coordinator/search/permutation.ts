/**
 * A keyed permutation of the indexes of a grid, implemented as a Feistel network (M. Luby and C. Rackoff, SIAM J.
 * Comput. 17 (1988)) with cycle walking (J. Black and P. Rogaway: "Ciphers with Arbitrary Finite Domains", CT-RSA
 * 2002). The permutation needs no list of the indexes.
 */
import { hash } from 'node:crypto';

const ROUNDS = 4;

/**
 * Returns the index at a position of the shuffled order. Different positions have different indexes.
 * @param position from 0 to size - 1
 * @param size at most Number.MAX_SAFE_INTEGER
 */
export function shuffledIndex(position: number, size: number, seed: number): number {
  const halfBits = Math.max(1, Math.ceil(Math.log2(size) / 2));
  const base = 2 ** halfBits;
  let left = Math.floor(position / base);
  let right = position % base;
  do {
    for (let round = 0; round < ROUNDS; round++) {
      [left, right] = [right, (left ^ roundBits(seed, round, right)) & (base - 1)];
    }
    // The network also permutes numbers above the last index. If the result is such a number, it is permuted again.
  } while (left * base + right >= size);
  return left * base + right;
}

function roundBits(seed: number, round: number, half: number): number {
  return hash('sha256', `${seed}/${round}/${half}`, 'buffer').readUInt32BE(0);
}
