// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros are written so
/**
 * The shape of a sweep file. What the shape cannot say (which parameters the trainer takes, that a rule names a
 * parameter of the sweep) is checked in parse.ts. Every wording here that begins with "expected" reaches the user.
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

/** The longest name of a sweep or a metric, and the longest text that a parameter may be. */
export const MAX_TEXT = 1_000;
/** The longest description. */
export const MAX_DESCRIPTION = 10_000;
/** The most parameters of a sweep. */
export const MAX_PARAMETERS = 100;
/** The most rules under exclude, and the most under when. */
export const MAX_RULES = 200;
/** The most seeds of a sweep. */
export const MAX_SEEDS = 10_000;
/** The largest seed: 32 bits, what the trainers' generators take. */
export const MAX_SEED = 2 ** 32 - 1;
/** The most trials at once that a sweep may ask for. */
export const MAX_CONCURRENCY = 100_000;
/** The most retries of one kind. */
export const MAX_RETRIES = 100;
/** The most epochs between two checkpoints, or two looks at the reconstructions. */
export const MAX_EPOCHS_BETWEEN = 100_000;
/** The most items of a command, and the longest of them in characters. */
export const MAX_COMMAND_ITEMS = 1_000;
export const MAX_COMMAND_ITEM = 10_000;
/** The most hypotheses of a sweep. */
export const MAX_HYPOTHESES = 200;
/** The most GPUs that a trial may ask for. */
export const MAX_GPUS = 64;
/** What a parameter may be called: it appears in tables, files and metric labels. */
export const PARAMETER_NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

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
/** Names that every JavaScript object answers to (`constructor`) are refused once, here, instead of guarded against everywhere. */
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
      .describe('GPUs of the slot; false: a slot without one; default: either'),
    vram: z
      .string({ error: sizeError })
      .regex(SIZE_PATTERN, { error: sizeError })
      .optional()
      .describe('memory that a trial may count on, on each GPU'),
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
      .describe('labels that the agent must have (trawl agent --label)'),
  },
  { error: 'expected a mapping, such as {gpu: 1, vram: 8GiB, labels: {zone: a}}' },
);

const parameter = z.strictObject(
  {
    value: scalar.optional().describe('the one value'),
    values: atLeastOne(list(scalar, 'values', MAX_LISTED_VALUES))
      .optional()
      .describe('the values, in order'),
    min: finite.optional().describe('the first value; with max and step'),
    max: finite.optional().describe('the values go up to this'),
    step: finite.optional().describe('from one value to the next'),
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
/** No operating system takes a NUL in an argument. */
const argument = z
  .string({ error: argumentError })
  .max(MAX_COMMAND_ITEM, { error: `expected at most ${MAX_COMMAND_ITEM} characters` })
  .regex(/^[^\0]*$/, { error: 'expected text without a NUL character' });

const commandError = 'a program and its arguments, such as [python3, train.py, "${args}"]';
const command = list(argument, commandError, MAX_COMMAND_ITEMS)
  .min(1, { error: `expected ${commandError}` })
  .refine((items) => items[0] !== '', { error: 'expected the name of a program first' });

const trainers = Object.keys(TRAINERS) as TrainerName[];

const maxFailedError = 'expected a count such as 10, or a share such as "10%"';
const count = z.int({ error: maxFailedError }).min(0, { error: maxFailedError });
const share = z.string().regex(/^(?:100|\d{1,2}(?:\.\d{1,6})?)%$/, { error: maxFailedError });

export const sweepFileSchema = z.strictObject(
  {
    name: line('text').optional().describe('what to call the sweep; default: the name of the file'),
    description: z
      .string({ error: 'expected text' })
      .max(MAX_DESCRIPTION, { error: `expected at most ${MAX_DESCRIPTION} characters` })
      .optional()
      .describe('for people'),
    method: z.enum(['grid']).optional().describe('how points are chosen'),
    metric: z
      .strictObject(
        {
          name: text('the name of a metric').describe("a metric of the trainer's reports"),
          goal: z.enum(['minimize', 'maximize']).optional().describe('default: maximize for psnr, minimize otherwise'),
        },
        { error: 'expected a mapping, such as {name: test_loss, goal: minimize}' },
      )
      .optional()
      .describe("what ranks the trials; default: the trainer's first metric"),
    trainer: z.enum(trainers).describe('what trains; command may be left out where the file has a command'),
    command: command
      .optional()
      .describe(
        'the program of trainer command and its arguments. ${args}: the parameters as --name=value; also ' +
          '${args_no_hyphens}, ${args_no_boolean_flags}, ${args_json}, ${seed} (else in TRAWL_SEED), ${program}, ' +
          '${interpreter}, ${env}, ${envvar:NAME}',
      ),
    program: text('a path')
      .regex(/^[^\0$]*$/, { error: 'expected a path without $ and NUL' })
      .optional()
      .describe('what ${program} stands for in command; default command: ${env} ${interpreter} ${program} ${args}'),
    parameters: z
      .record(parameterName, parameter, {
        error: 'expected a mapping of parameters, such as {depth: {values: [3, 5]}}',
      })
      .refine((parameters) => Object.keys(parameters).length <= MAX_PARAMETERS, {
        error: `expected at most ${MAX_PARAMETERS} parameters`,
      })
      .describe('the axes of the grid; the last one turns fastest'),
    zip: list(
      list(z.string({ error: "expected a parameter's name" }), 'names', MAX_PARAMETERS),
      'lists of names',
      MAX_PARAMETERS,
    )
      .optional()
      .describe('groups of parameters that advance together'),
    exclude: list(conditions, 'rules', MAX_RULES)
      .optional()
      .describe('points that meet all conditions of a rule are dropped; a list of values means any of them'),
    when: list(
      z.strictObject(
        {
          if: conditions.describe('conditions on the point as enumerated'),
          set: z
            .record(parameterName, scalar, {
              error: 'expected a mapping of parameters to values, such as {epochs: 13}',
            })
            .describe('what the parameters are set to; later rules win'),
        },
        { error: 'expected a mapping with if and set' },
      ),
      'rules',
      MAX_RULES,
    )
      .optional()
      .describe('sets parameters of the points that meet the conditions'),
    replicates: whole(1, MAX_SEEDS)
      .optional()
      .describe('trials of each config, with seeds 0, 1, 2, ...; not with seeds'),
    seeds: atLeastOne(list(whole(0, MAX_SEED), 'seeds', MAX_SEEDS))
      .optional()
      .describe('a trial of each config for each seed'),
    order: z.enum(['grid', 'shuffled']).optional().describe('the order in which trials start; shuffled needs seed'),
    seed: whole(0, MAX_SEED).optional().describe('the seed of order: shuffled'),
    concurrency: whole(1, MAX_CONCURRENCY).optional().describe('the most trials at once'),
    priority: whole(-MAX_PRIORITY, MAX_PRIORITY)
      .optional()
      .describe('trials of a sweep with more go first, whatever the others have; default 0'),
    weight: weight.optional().describe('its part of the slots beside other sweeps of its priority; default 1'),
    resources: resources.optional().describe('what the slot that runs a trial must have'),
    retry: z
      .strictObject(
        {
          oom: whole(0, MAX_RETRIES).optional().describe('after running out of memory; default 1'),
          crash: whole(0, MAX_RETRIES).optional().describe("after the worker's death; default 2"),
          timeout: whole(0, MAX_RETRIES).optional().describe('after a timeout; default 1'),
          backoff: duration.optional().describe('the wait before each; default 2s'),
        },
        { error: 'expected a mapping, such as {oom: 1, crash: 2, timeout: 1, backoff: 10s}' },
      )
      .optional()
      .describe('how often a trial is tried again, by what went wrong'),
    timeout: duration.optional().describe('the longest that an attempt may run'),
    checkpoint_every: whole(0, MAX_EPOCHS_BETWEEN)
      .optional()
      .describe('epochs from one checkpoint to the next; 0: none; default 1'),
    reconstruct_every: whole(0, MAX_EPOCHS_BETWEEN)
      .optional()
      .describe('epochs from one look at the reconstructions to the next, and the last; 0: none; default 4'),
    hypotheses: list(
      z.strictObject(
        {
          name: line('a name').describe('short, such as H1; no other hypothesis has it'),
          claim: line('a claim, such as "psnr[latent_dim=15] > psnr[latent_dim=100]"').describe(
            'test_loss[latent_dim]: 15 > 30 > 50; psnr[latent_dim=15] > psnr[latent_dim=100], with "not" before it, or ' +
              'of ranges as range(test_loss, latent_dim)[dataset=mnist]; test_loss falls over epochs',
          ),
          about: text('text').optional().describe('for people'),
          where: conditions.optional().describe('the trials that it is about, by their parameters after when'),
        },
        { error: 'expected a mapping with name and claim' },
      ),
      'hypotheses',
      MAX_HYPOTHESES,
    )
      .optional()
      .describe('what the results are asked; judged over the replicates, and may be edited without changing the sweep'),
    max_failed: z
      .union([count, share], { error: maxFailedError })
      .optional()
      .describe('more failed trials than this (a count, or a share of all trials) pause the sweep'),
  },
  { error: 'expected a mapping of keys, such as name, trainer and parameters' },
);

export type SweepFile = z.infer<typeof sweepFileSchema>;
export type ParameterEntry = z.infer<typeof parameter>;
export type Conditions = z.infer<typeof conditions>;
export type SweepFileKey = keyof typeof sweepFileSchema.shape;

/** The keys that the mapping at a path may have; undefined where keys are the user's own. */
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
