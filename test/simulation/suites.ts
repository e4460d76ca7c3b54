/** Seeds and planted bugs of the fast suite and of the slow one. Together they cover every seed and every bug. */

const seeds = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** 58 and 93 reach states that none of the first 50 reaches. */
export const FAST_SEEDS: readonly number[] = [...seeds(1, 50), 58, 93];

/** TRAWL_SIMULATION_SEEDS is the number of the last one. */
export const SLOW_SEEDS: readonly number[] = seeds(51, Number(process.env.TRAWL_SIMULATION_SEEDS ?? 400));

/** Seeds within which a planted bug must be found. */
export const BUG_SEEDS = 250;

/** Planted bugs that no seed up to 10 finds: the slow suite finds them. */
export const RARE_BUGS: readonly string[] = [
  'credit-for-coming-late',
  'drained-agent-works',
  'leases-never-expire',
  'no-fencing',
  'paused-sweep-grants',
  'pools-untold',
  'retried-numbered-anew',
  'retries-forgotten',
  'retry-not-recognized',
  'stuck-offers-left',
  'timeout-by-wall-clock',
  'weights-ignored',
];

/** For a machine that is busy with other work. */
export const TIMEOUT_MS = 300_000;
