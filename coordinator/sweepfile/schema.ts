// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
/**
 * The shape of a sweep file, which is also its JSON Schema. Rules beyond the shape (the trainer's parameters, the names in
 * rules) are checked in parse.ts. All error texts here are shown to the author of the file.
 */
import { z } from 'zod';
import { DURATION_PATTERN, parseDuration } from '../../lib/text/duration.ts';
import { SIZE_PATTERN } from '../../lib/text/size.ts';
import {
  LABEL_NAME,
  LABEL_VALUE,
  LABEL_VALUE_RULE,
  MAX_LABELS,
  MAX_PRIORITY,
  MAX_WEIGHT,
  MIN_WEIGHT,
} from '../../proto/limits.ts';
import { TRAINERS, type TrainerName } from '../../proto/trainers.ts';
import { MAX_LISTED_VALUES } from '../grid/axes.ts';

/** The maximum length of names, and of text values of parameters. */
const MAX_TEXT = 1_000;
/** The maximum length of a description. */
const MAX_DESCRIPTION = 10_000;
/** The maximum number of parameters. */
const MAX_PARAMETERS = 100;
/** The maximum number of rules under exclude, and under when. */
const MAX_RULES = 200;
/** The maximum number of seeds. */
const MAX_SEEDS = 10_000;
/** The largest seed: the trainers' generators use 32 bits. */
const MAX_SEED = 2 ** 32 - 1;
/** The maximum concurrency. */
const MAX_CONCURRENCY = 100_000;
/** The maximum number of retries per kind of failure. */
const MAX_RETRIES = 100;
/** The maximum number of epochs between two checkpoints, or two reconstruction images. */
const MAX_EPOCHS_BETWEEN = 100_000;
/** The maximum number of items of a command, and of characters per item. */
const MAX_COMMAND_ITEMS = 1_000;
const MAX_COMMAND_ITEM = 10_000;
/** The maximum number of hypotheses. */
const MAX_HYPOTHESES = 200;
/** The maximum number of GPUs per trial. */
const MAX_GPUS = 64;
/** Valid parameter names, which appear in tables, files and metric labels. */
const PARAMETER_NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

function whole(min: number, max: number) {
  const error = `expected a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, { error }).max(max, { error });
}

function text(about: string) {
  const error = `expected ${about}`;
  return z
    .string({ error })
    .min(1, { error: `${error}, not empty` })
    .max(MAX_TEXT, { error: `expected at most ${MAX_TEXT} characters` });
}

function line(about: string) {
  return text(about).regex(/^\P{Cc}*$/u, { error: 'expected text on one line' });
}

function list<T extends z.ZodType>(item: T, about: string, max: number) {
  const error = `expected a list of ${about}`;
  return z.array(item, { error }).max(max, { error: `expected at most ${max} in the list` });
}

function atLeastOne<T extends z.ZodType>(array: z.ZodArray<T>) {
  return array.min(1, { error: 'expected at least one value in the list' });
}

const scalarError = 'expected a number, text, true or false';
const words = z.string().max(MAX_TEXT, { error: `expected at most ${MAX_TEXT} characters` });
const scalar = z.union([z.number(), words, z.boolean()], { error: scalarError });
const finite = z.number({ error: 'expected a number' });
/** Names of properties of every JavaScript object, such as `constructor`, are rejected here. */
const parameterName = z
  .string()
  .regex(PARAMETER_NAME)
  .refine((name) => !(name in Object.prototype));

const durationError = 'expected a duration such as 90s, 2h or 1d, up to 24d';
const duration = z
  .string({ error: durationError })
  .regex(DURATION_PATTERN, { error: durationError })
  .refine((written) => parseDuration(written) !== undefined, { error: durationError });

const weightError = `expected a number from ${MIN_WEIGHT} to ${MAX_WEIGHT}`;
const weight = z
  .number({ error: weightError })
  .min(MIN_WEIGHT, { error: weightError })
  .max(MAX_WEIGHT, { error: weightError });

const gpuError = `expected a number of GPUs from 1 to ${MAX_GPUS}, or false`;
const sizeError = 'expected a size such as 8GiB or 512MiB';
const labelError = `expected text of ${LABEL_VALUE_RULE}`;
const resources = z.strictObject(
  {
    gpu: z
      .union(
        [z.int({ error: gpuError }).min(1, { error: gpuError }).max(MAX_GPUS, { error: gpuError }), z.literal(false)],
        { error: gpuError },
      )
      .optional()
      .describe(
        `GPUs that the slot must have, from 1 to ${MAX_GPUS}; false: the slot must have none; default: any slot`,
      ),
    vram: z
      .string({ error: sizeError })
      .regex(SIZE_PATTERN, { error: sizeError })
      .optional()
      .describe('memory that a trial needs on each GPU, such as 8GiB or 512MiB; default: no requirement'),
    labels: z
      .record(
        z.string().regex(LABEL_NAME),
        z.string({ error: 'expected text' }).regex(LABEL_VALUE, { error: labelError }),
        {
          error: 'expected a mapping of labels to values, such as {zone: a}',
        },
      )
      .refine((labels) => Object.keys(labels).length <= MAX_LABELS, {
        error: `expected at most ${MAX_LABELS} labels`,
      })
      .optional()
      .describe(
        `labels that the agent must have (trawl agent --label), such as {zone: a}; up to ${MAX_LABELS}; default: none`,
      ),
  },
  { error: 'expected a mapping, such as {gpu: 1, vram: 8GiB, labels: {zone: a}}' },
);

const parameter = z.strictObject(
  {
    value: scalar.optional().describe('a single value'),
    values: atLeastOne(list(scalar, 'values', MAX_LISTED_VALUES))
      .optional()
      .describe(`the values in order; 1 to ${MAX_LISTED_VALUES}`),
    min: finite.optional().describe('the first value; requires max and step'),
    max: finite.optional().describe('the upper limit; a value only if a step reaches it exactly'),
    step: finite.optional().describe('the difference between two values; greater than 0'),
  },
  { error: 'expected a mapping, such as {value: 3} or {values: [3, 5]}' },
);

const conditionError = `${scalarError}, or a list of them`;
const conditions = z.record(
  parameterName,
  z.union([scalar, atLeastOne(list(scalar, 'values', MAX_LISTED_VALUES))], { error: conditionError }),
  {
    error: 'expected a mapping of parameters to values, such as {depth: 5, noise_std: [0.1, 0.5]}',
  },
);

const argumentError = 'expected text';
/** Operating systems do not accept a NUL in an argument. */
const argument = z
  .string({ error: argumentError })
  .max(MAX_COMMAND_ITEM, { error: `expected at most ${MAX_COMMAND_ITEM} characters` })
  .regex(/^[^\0]*$/, { error: 'expected text without a NUL character' });

const commandError = 'a program and its arguments, such as [python3, train.py, "${args}"]';
const command = list(argument, commandError, MAX_COMMAND_ITEMS)
  .min(1, { error: `expected ${commandError}` })
  .refine((items) => items[0] !== '', { error: 'expected a program as the first item' });

const trainers = Object.keys(TRAINERS) as TrainerName[];

const maxFailedError = 'expected a count such as 10, or a percentage such as "10%"';
const count = z.int({ error: maxFailedError }).min(0, { error: maxFailedError });
const share = z.string().regex(/^(?:100|\d{1,2}(?:\.\d{1,6})?)%$/, { error: maxFailedError });

export const sweepFileSchema = z.strictObject(
  {
    name: line('text').optional().describe('name of the sweep; default: the name of the file'),
    description: z
      .string({ error: 'expected text' })
      .max(MAX_DESCRIPTION, { error: `expected at most ${MAX_DESCRIPTION} characters` })
      .optional()
      .describe(`description for people; up to ${MAX_DESCRIPTION} characters`),
    method: z.enum(['grid']).optional().describe('how the points are chosen; default: grid'),
    metric: z
      .strictObject(
        {
          name: text('the name of a metric').describe('name of a metric that the trainer reports'),
          goal: z
            .enum(['minimize', 'maximize'])
            .optional()
            .describe('whether lower or higher values are better; default: maximize for psnr, minimize otherwise'),
          at: z
            .enum(['last', 'best'])
            .optional()
            .describe("whether a trial's value is its last or its best over the steps; default: last"),
          target: finite.optional().describe('the sweep ends when one trial reaches this value'),
        },
        { error: 'expected a mapping, such as {name: test_loss, goal: minimize}' },
      )
      .optional()
      .describe("the metric that ranks the trials; default: the trainer's first metric; required for trainer command"),
    trainer: z.enum(trainers).describe('the trainer; default: command, if the file has a command or program'),
    command: command
      .optional()
      .describe(
        'the program of trainer command and its arguments. ${args} expands to the parameters as --name=value. Other macros: ' +
          '${args_no_hyphens}, ${args_no_boolean_flags}, ${args_json}, ${seed} (also in TRAWL_SEED), ${program}, ' +
          '${interpreter}, ${env}, ${envvar:NAME}',
      ),
    program: text('a path')
      .regex(/^[^\0$]*$/, { error: 'expected a path without $ and NUL' })
      .optional()
      .describe(
        'the value of ${program} in command; without a command, the command is ${env} ${interpreter} ${program} ${args}',
      ),
    parameters: z
      .record(parameterName, parameter, {
        error: 'expected a mapping of parameters, such as {depth: {values: [3, 5]}}',
      })
      .refine((parameters) => Object.keys(parameters).length <= MAX_PARAMETERS, {
        error: `expected at most ${MAX_PARAMETERS} parameters`,
      })
      .describe(`the axes of the grid, of which the last varies fastest; up to ${MAX_PARAMETERS}`),
    zip: list(
      list(z.string({ error: "expected a parameter's name" }), 'names', MAX_PARAMETERS),
      'lists of names',
      MAX_PARAMETERS,
    )
      .optional()
      .describe(
        'groups of parameters that advance together; the parameters of a group have equal numbers of values; default: none',
      ),
    exclude: list(conditions, 'rules', MAX_RULES)
      .optional()
      .describe(
        'rules that drop the points that match all their conditions; a list of values matches any of them; default: none',
      ),
    when: list(
      z.strictObject(
        {
          if: conditions.describe('conditions on the point before any rule is applied'),
          set: z
            .record(parameterName, scalar, {
              error: 'expected a mapping of parameters to values, such as {epochs: 13}',
            })
            .describe('the new values of parameters; later rules win'),
        },
        { error: 'expected a mapping with if and set' },
      ),
      'rules',
      MAX_RULES,
    )
      .optional()
      .describe('rules that set parameters of the points that match their conditions; default: none'),
    replicates: whole(1, MAX_SEEDS)
      .optional()
      .describe(`trials per config, with seeds 0, 1, 2, ...; 1 to ${MAX_SEEDS}; default 1; excludes seeds`),
    seeds: atLeastOne(list(whole(0, MAX_SEED), 'seeds', MAX_SEEDS))
      .optional()
      .describe('seeds of the trials of each config, from 0 to 4294967295; default [0]; excludes replicates'),
    order: z
      .enum(['grid', 'shuffled'])
      .optional()
      .describe('the order in which trials start; shuffled requires seed; default: grid'),
    seed: whole(0, MAX_SEED).optional().describe('the seed of order: shuffled, from 0 to 4294967295'),
    concurrency: whole(1, MAX_CONCURRENCY)
      .optional()
      .describe(
        `maximum number of trials at the same time, from 1 to ${MAX_CONCURRENCY}; default: the number of slots`,
      ),
    priority: whole(-MAX_PRIORITY, MAX_PRIORITY)
      .optional()
      .describe(
        `trials of sweeps with a higher priority go first; from -${MAX_PRIORITY} to ${MAX_PRIORITY}; default 0`,
      ),
    weight: weight
      .optional()
      .describe(
        `share of the slots relative to other sweeps of the same priority; from ${MIN_WEIGHT} to ${MAX_WEIGHT}; default 1`,
      ),
    resources: resources.optional().describe('requirements on the slot of a trial; default: none'),
    retry: z
      .strictObject(
        {
          oom: whole(0, MAX_RETRIES)
            .optional()
            .describe(`retries after running out of memory, up to ${MAX_RETRIES}; default 1`),
          crash: whole(0, MAX_RETRIES)
            .optional()
            .describe(`retries after a crash or a failed preflight, up to ${MAX_RETRIES}; default 2`),
          timeout: whole(0, MAX_RETRIES)
            .optional()
            .describe(`retries after a timeout, up to ${MAX_RETRIES}; default 1`),
          backoff: duration
            .optional()
            .describe(
              'delay before the first retry, such as 10s; doubles with each further one, up to 5 minutes; default 2s',
            ),
        },
        { error: 'expected a mapping, such as {oom: 1, crash: 2, timeout: 1, backoff: 10s}' },
      )
      .optional()
      .describe('retries per trial, by kind of failure'),
    timeout: duration.optional().describe('longest duration of an attempt, such as 90s, 2h or 1d; default: no limit'),
    checkpoint_every: whole(0, MAX_EPOCHS_BETWEEN)
      .optional()
      .describe(`epochs between two checkpoints, up to ${MAX_EPOCHS_BETWEEN}; 0: no checkpoints; default 1`),
    reconstruct_every: whole(0, MAX_EPOCHS_BETWEEN)
      .optional()
      .describe(
        `epochs between two reconstruction images, up to ${MAX_EPOCHS_BETWEEN}; the last epoch always has one; 0: no images; default 4`,
      ),
    hypotheses: list(
      z.strictObject(
        {
          name: line('a name').describe('short, unique name, such as H1'),
          claim: line('a claim, such as "psnr[latent_dim=15] > psnr[latent_dim=100]"').describe(
            'an ordering, test_loss[latent_dim]: 15 > 30 > 50; a comparison, psnr[latent_dim=15] > psnr[latent_dim=100], also ' +
              'negated with "not" or of ranges, range(test_loss, latent_dim)[dataset=mnist]; or a trend, test_loss falls over epochs',
          ),
          about: text('text').optional().describe('description for people'),
          where: conditions
            .optional()
            .describe('restricts the trials, by their parameters after when; default: all trials'),
        },
        { error: 'expected a mapping with name and claim' },
      ),
      'hypotheses',
      MAX_HYPOTHESES,
    )
      .optional()
      .describe(
        'claims to test with the results, over the replicates of each config; editing them does not change the sweep',
      ),
    max_failed: z
      .union([count, share], { error: maxFailedError })
      .optional()
      .describe(
        'the sweep is paused when more trials than this have failed: a count such as 10, or a percentage of all trials such as "10%"; default: no limit',
      ),
  },
  { error: 'expected a mapping of keys, such as name, trainer and parameters' },
);

export type SweepFile = z.infer<typeof sweepFileSchema>;
export type ParameterEntry = z.infer<typeof parameter>;
export type Conditions = z.infer<typeof conditions>;

/** Returns the valid keys of the mapping at a path, or undefined if any key is valid. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] | undefined {
  const shape = sweepFileSchema.shape;
  const [top, second] = path;
  if (top === undefined) return Object.keys(shape);
  if (top === 'resources' && second !== undefined) return undefined;
  if (top === 'metric' || top === 'retry' || top === 'resources') return Object.keys(shape[top].unwrap().shape);
  if (top === 'parameters' && second !== undefined) return Object.keys(parameter.shape);
  if (top === 'when' || top === 'hypotheses') return Object.keys(shape[top].unwrap().element.shape);
  return undefined;
}
