/** Defines the shape of the key `optuna`. The author of a sweep file sees all error texts of this module. */
import * as z from 'zod';
import { DEFAULT_SAMPLER, OPTUNA_SAMPLERS } from '../search/optuna/samplers.ts';
import { anyValue, line } from './fields.ts';

const optionsError = "expected a mapping of the sampler's arguments, such as {n_startup_trials: 20}";

export const optunaKeys = z.strictObject(
  {
    sampler: line(`the name of a sampler, such as ${DEFAULT_SAMPLER}`)
      .optional()
      .describe(
        `the sampler: ${OPTUNA_SAMPLERS.join(', ')}, or module:Class for a class of your own, if the coordinator permits it; default ${DEFAULT_SAMPLER}`,
      ),
    options: z
      .record(z.string(), anyValue, { error: optionsError })
      .optional()
      .describe("arguments of the sampler's constructor, except seed; default: none"),
    python: line('a Python interpreter, such as .venv/bin/python')
      .optional()
      .describe(
        'the Python interpreter that runs Optuna, if the coordinator permits it; default: the interpreter of the coordinator',
      ),
  },
  { error: `expected a mapping, such as {sampler: ${DEFAULT_SAMPLER}, options: {multivariate: true}}` },
);
