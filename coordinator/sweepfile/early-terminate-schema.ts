/** Defines the shape of `early_terminate`. The author of a sweep file sees all error texts of this module. */
import * as z from 'zod';
import { MAX_RUNG } from '../early-stop/rungs.ts';
import { DEFAULT_RULE } from './defaults.ts';
import { finite, whole } from './fields.ts';

const MAX_BRACKETS = 100;
const MAX_MIN_TRIALS = 1_000_000;

/** With a smaller factor, there would be thousands of rungs. */
const MIN_ETA = 1.01;

const etaError = `expected a number of at least ${MIN_ETA}`;
const deltaError = 'expected a number of at least 0';

export const earlyTerminate = z.strictObject(
  {
    type: z
      .enum(['hyperband', 'asha', 'median', 'patience', 'threshold', 'envelope'])
      .describe('the rule that stops trials; envelope (of Weights & Biases) is treated as median'),
    variant: z
      .enum(['stopping', 'promotion'])
      .optional()
      .describe(
        `for asha, what happens to a trial that is not among the best at a rung: "stopping" stops the trial; "promotion" holds the trial, and resumes it from its checkpoint once it is among the best; default ${DEFAULT_RULE.variant}`,
      ),
    min_iter: whole(1, MAX_RUNG)
      .optional()
      .describe(
        `for asha, the step of the first rung; for hyperband, the number of values that a trial has reported at the first rung; for other rules, the first step at which a trial can be stopped; default ${DEFAULT_RULE.minIter} (hyperband: required, unless max_iter and s are given)`,
      ),
    max_iter: whole(1, MAX_RUNG)
      .optional()
      .describe(
        'for hyperband, the number of values that a complete trial reports (requires s); for asha, all rungs are below this step (default: no limit)',
      ),
    s: whole(1, MAX_BRACKETS)
      .optional()
      .describe('for hyperband, the maximum number of rungs; the rungs are at max_iter/eta, max_iter/eta^2, and so on'),
    eta: z
      .number({ error: etaError })
      .min(MIN_ETA, { error: etaError })
      .optional()
      .describe(
        `for hyperband and asha: each rung is at eta times the previous rung, and about one in eta trials continues after a rung; default ${DEFAULT_RULE.eta}`,
      ),
    strict: z
      .boolean({ error: 'expected true or false' })
      .optional()
      .describe(
        `for hyperband: if true, a trial is compared by its value at the rung instead of its best value so far; default ${DEFAULT_RULE.strict}`,
      ),
    min_trials: whole(1, MAX_MIN_TRIALS)
      .optional()
      .describe(
        `median: the number of other trials that must have reached a step before a trial is compared at that step; default ${DEFAULT_RULE.minTrials}`,
      ),
    patience: whole(1, MAX_RUNG)
      .optional()
      .describe(
        'patience: the number of consecutive values without an improvement after which a trial is stopped; required',
      ),
    min_delta: z
      .number({ error: deltaError })
      .min(0, { error: deltaError })
      .optional()
      .describe(
        `patience: only a value that is better by more than this number is an improvement; default ${DEFAULT_RULE.minDelta}`,
      ),
    worse_than: finite
      .optional()
      .describe('threshold: a trial whose metric is worse than this number is stopped; required'),
  },
  { error: 'expected a mapping, such as {type: hyperband, min_iter: 3, eta: 3}' },
);
