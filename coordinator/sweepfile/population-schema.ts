/** Defines the shape of `pbt`. The author of a sweep file sees all error texts of this module. */
import * as z from 'zod';
import { MAX_RUNG } from '../early-stop/rungs.ts';
import { DEFAULT_POPULATION } from './defaults.ts';
import { list, whole } from './fields.ts';

/** The maximum number of members. The number is limited, because one step compares all members with each other. */
export const MAX_POPULATION = 1_000;
const MAX_FACTORS = 20;
const MAX_EXPLORED = 100;

const quantileError = 'expected a number above 0, up to 0.5';
const factorError = 'expected a factor above 0 other than 1, such as 0.8 or 1.2';
const shareError = 'expected a number from 0 to 1';

export const pbt = z.strictObject(
  {
    interval: whole(1, MAX_RUNG).describe('epochs between two comparisons of the members; required'),
    quantile: z
      .number({ error: quantileError })
      .gt(0, { error: quantileError })
      .max(0.5, { error: quantileError })
      .optional()
      .describe(
        `the share of the members that are replaced at each comparison (the worst members), and also the share that can be parents (the best members); default ${DEFAULT_POPULATION.quantile}`,
      ),
    perturb: list(
      z
        .number({ error: factorError })
        .gt(0, { error: factorError })
        .refine((factor) => factor !== 1, { error: factorError }),
      'factors, such as [0.8, 1.2]',
      MAX_FACTORS,
    )
      .min(1, { error: 'expected at least one factor, such as [0.8, 1.2]' })
      .optional()
      .describe(
        `factors of a perturbation; one of them is chosen at random for each parameter; default [${DEFAULT_POPULATION.perturb.join(', ')}]`,
      ),
    resample: z
      .number({ error: shareError })
      .min(0, { error: shareError })
      .max(1, { error: shareError })
      .optional()
      .describe(
        `probability of a new random value instead of a perturbed value, per parameter; default ${DEFAULT_POPULATION.resample}`,
      ),
    explore: list(z.string({ error: "expected a parameter's name" }), 'names of parameters', MAX_EXPLORED)
      .min(1, { error: 'expected at least one name' })
      .optional()
      .describe(
        'the parameters that a child changes; it inherits all others. Required for trainer command; default: all varying parameters that the trainer can change on resume',
      ),
  },
  { error: 'expected a mapping, such as {interval: 5}' },
);
