/**
 * The cluster tests take minutes: `npm run test:slow` runs a part of the rounds, and `npm run test:cluster` runs all
 * parts.
 */
export const ALL_ROUNDS = process.env.TRAWL_CLUSTER === 'all';

export function someOf<T>(rounds: readonly T[]): readonly T[] {
  return ALL_ROUNDS ? rounds : rounds.slice(0, 1);
}
