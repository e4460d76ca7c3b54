/** Defines the shape of `early_terminate`. The author of a sweep file sees all error texts of this module. */
import { z } from 'zod';
import { MAX_RUNG } from '../early-stop/rungs.ts';
import { finite, whole } from './fields.ts';

const MAX_BRACKETS = 100;
const MAX_MIN_TRIALS = 1_000_000;

const etaError = 'expected a number above 1';
const deltaError = 'expected a number from 0';

export const earlyTerminate = z.strictObject(
  {
    type: z
      .enum(['hyperband', 'asha', 'median', 'patience', 'threshold', 'envelope'])
      .describe('the rule that stops trials; envelope (of Weights & Biases) is treated as median'),
    variant: z
      .enum(['stopping', 'promotion'])
      .optional()
      .describe(
        'asha: stopping stops a trial at its rung; promotion holds it there, and resumes it from its checkpoint once it is among the best; default stopping',
      ),
    min_iter: whole(1, MAX_RUNG)
      .optional()
      .describe(
        'for asha, the step of the first rung; for hyperband, the number of values before the first rung; for other rules, the first step at which a trial can be stopped; default 1 (hyperband: required, unless max_iter and s are given)',
      ),
    max_iter: whole(1, MAX_RUNG)
      .optional()
      .describe(
        'for hyperband, the number of values that a complete trial reports (requires s); for asha, no rung is at or above this step',
      ),
    s: whole(1, MAX_BRACKETS).optional().describe('hyperband: the number of rungs, from max_iter downwards'),
    eta: z
      .number({ error: etaError })
      .gt(1, { error: etaError })
      .optional()
      .describe(
        'for hyperband and asha: each rung is at eta times the previous rung, and about one in eta trials continues after a rung; default 3',
      ),
    strict: z
      .boolean({ error: 'expected true or false' })
      .optional()
      .describe('hyperband: true compares the value at the rung instead of the best value so far; default false'),
    min_trials: whole(1, MAX_MIN_TRIALS)
      .optional()
      .describe(
        'median: the number of other trials that must have reached a step before a trial is compared at that step; default 5',
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
      .describe('patience: the minimum improvement, exclusive; default 0'),
    worse_than: finite.optional().describe('threshold: a trial whose metric is worse than this is stopped; required'),
  },
  { error: 'expected a mapping, such as {type: hyperband, min_iter: 3, eta: 3}' },
);
