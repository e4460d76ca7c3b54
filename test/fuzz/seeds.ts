/**
 * Returns one seed per round, and prints them so that a failure can be reproduced. TRAWL_FUZZ_SEED repeats a run;
 * TRAWL_FUZZ_ROUNDS sets the number of rounds.
 */
export function fuzzSeeds(): number[] {
  const first = Number(process.env.TRAWL_FUZZ_SEED ?? Date.now() % 1_000_000);
  return Array.from({ length: Number(process.env.TRAWL_FUZZ_ROUNDS ?? 1) }, (_, round) => first + round);
}
