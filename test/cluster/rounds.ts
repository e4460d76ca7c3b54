/** What is done to machines takes minutes: `npm test` does the first of each kind, `npm run test:cluster` all of them. */
export const ALL_ROUNDS = process.env.TRAWL_CLUSTER === 'all';

export function someOf<T>(rounds: readonly T[]): readonly T[] {
  return ALL_ROUNDS ? rounds : rounds.slice(0, 1);
}
