/**
 * Defines the defaults of the keys of a sweep file. The parser fills in these values, and the JSON Schema describes
 * them.
 */
import type { RetryBudget } from '../core/policy.ts';

export const DEFAULT_METHOD = 'grid';
/** The default seed of a search, and the only seed of the trials if the file gives neither seeds nor replicates. */
export const DEFAULT_SEED = 0;
export const DEFAULT_METRIC_AT = 'last';
export const DEFAULT_RETRY: RetryBudget = { oom: 1, crash: 2, timeout: 1, backoffMs: 2_000 };
export const DEFAULT_BACKOFF = `${DEFAULT_RETRY.backoffMs / 1_000}s`;
export const DEFAULT_SPECULATE = false;
export const DEFAULT_CHECKPOINT_EVERY = 1;
/**
 * The default interval of reconstruction images, in epochs. An interval of 4 gives images after epochs 1, 5, 9 and 13.
 */
export const DEFAULT_RECONSTRUCT_EVERY = 4;
export const DEFAULT_CODE_DIR = '.';
export const DEFAULT_CODE_DIFF = true;

/** The defaults of `early_terminate`. The default of eta is that of Weights & Biases. */
export const DEFAULT_RULE = {
  variant: 'stopping',
  minIter: 1,
  eta: 3,
  strict: false,
  minTrials: 5,
  minDelta: 0,
} as const;

/** The defaults of `pbt`. */
export const DEFAULT_POPULATION = { quantile: 0.25, perturb: [0.8, 1.2], resample: 0.25 } as const;
