/** A fixed seed, so that every run of the suite sends the same messages. TRAWL_FUZZ_SEED replaces it. */
const DEFAULT_SEED = 1;

/**
 * Returns one seed per round. TRAWL_FUZZ_SEED sets the first seed, to repeat a run. TRAWL_FUZZ_ROUNDS sets the number
 * of rounds.
 */
export function fuzzSeeds(): number[] {
  const first = Number(process.env.TRAWL_FUZZ_SEED ?? DEFAULT_SEED);
  return Array.from({ length: Number(process.env.TRAWL_FUZZ_ROUNDS ?? 1) }, (_, round) => first + round);
}
