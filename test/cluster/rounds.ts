/**
 * The cluster tests take minutes, so `npm run test:slow` runs only some of their rounds. `npm run test:cluster` runs
 * all rounds.
 */
export const ALL_ROUNDS = process.env.TRAWL_CLUSTER === 'all';

export function someOf<T>(rounds: readonly T[]): readonly T[] {
  return ALL_ROUNDS ? rounds : rounds.slice(0, 1);
}
