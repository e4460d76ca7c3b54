/** Defines the shape of a parameter and of the conditions on parameters in rules. */
import * as z from 'zod';
import { MAX_LISTED_VALUES } from '../grid/axes.ts';
import { DISTRIBUTION_NAMES } from '../search/distribution.ts';
import { anyValue, atLeastOne, finite, list, text } from './fields.ts';

/** The maximum length of a parameter's name, in characters. */
export const MAX_PARAMETER_NAME = 256;
/** The syntax of a parameter's name. The syntax accepts Hydra's names, such as `+a`, `++a.b`, `~a` and `a/b`. */
const PARAMETER_NAME = new RegExp(`^(?!\\s)[^\\p{Cc}=]{1,${MAX_PARAMETER_NAME}}(?<!\\s)$`, 'u');

export const parameterNameSchema = z.string().regex(PARAMETER_NAME);

const parameterError = 'expected a mapping, such as {value: 3} or {values: [3, 5]}';

export const parameter = z.strictObject(
  {
    value: anyValue.optional().describe('a single value: a number, text, true, false, null, a list or a mapping'),
    values: atLeastOne(list(anyValue, 'values', MAX_LISTED_VALUES))
      .optional()
      .describe(`the values in order; 1 to ${MAX_LISTED_VALUES} values`),
    file: text('a path')
      .optional()
      .describe('a file with one value per line, relative to the sweep file; blank lines and # comments are skipped'),
    min: finite.optional().describe('the first value, or the lower limit of a distribution'),
    max: finite
      .optional()
      .describe('the upper limit; with step, the upper limit is a value only if a step reaches it exactly'),
    step: finite.optional().describe('the difference between two consecutive values; greater than 0'),
    distribution: z
      .enum(DISTRIBUTION_NAMES)
      .optional()
      .describe(
        "W&B's name of the distribution; default: constant for value, categorical for values, int_uniform for whole min and " +
          'max, else uniform. A grid takes only constant, categorical, int_uniform and q_uniform',
      ),
    probabilities: list(finite, 'probabilities', MAX_LISTED_VALUES)
      .optional()
      .describe('the probability of each of the values; not for a grid'),
    q: finite
      .optional()
      .describe(
        'for the q_ distributions: values are multiples of q; in a grid, they are min, min + q, min + 2q and so on; default 1',
      ),
    mu: finite.optional().describe('mean of the normal distribution, or of the logarithm for log_normal; default 0'),
    sigma: finite
      .optional()
      .describe('standard deviation of the normal distribution, or of the logarithm for log_normal; default 1'),
    a: finite.optional().describe('first parameter of beta; default 1'),
    b: finite.optional().describe('second parameter of beta; default 1'),
    get parameters() {
      return z
        .record(parameterNameSchema, parameter, {
          error: 'expected a mapping of parameters, such as {depth: {values: [3, 5]}}',
        })
        .optional()
        .describe('nested parameters, whose names are joined with a dot');
    },
  },
  { error: parameterError },
);

export const conditions = z.record(parameterNameSchema, anyValue, {
  error: 'expected a mapping of parameters to values, such as {depth: 5, noise_std: [0.1, 0.5]}',
});

export type ParameterEntry = z.infer<typeof parameter>;
export type Conditions = z.infer<typeof conditions>;
