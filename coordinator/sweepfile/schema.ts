/**
 * Defines the shape of a sweep file. The JSON Schema is generated from this definition. spec.ts checks the content
 * beyond the shape, such as the trainer's parameters and the names in rules. The author of a sweep file sees all error
 * texts of this module.
 */
import * as z from 'zod';
import {
  DEFAULT_PRIORITY,
  DEFAULT_WEIGHT,
  LABEL_NAME,
  LABEL_VALUE,
  LABEL_VALUE_RULE,
  MAX_LABELS,
  MAX_PRIORITY,
  MAX_WEIGHT,
  MIN_WEIGHT,
} from '../../proto/limits.ts';
import { TRAINERS, type TrainerName } from '../../proto/trainers.ts';
import { DEFAULT_RUN_CAP } from '../grid/spec.ts';
import {
  DEFAULT_BACKOFF,
  DEFAULT_CHECKPOINT_EVERY,
  DEFAULT_METHOD,
  DEFAULT_METRIC_AT,
  DEFAULT_RECONSTRUCT_EVERY,
  DEFAULT_RETRY,
  DEFAULT_SEED,
  DEFAULT_SPECULATE,
} from './defaults.ts';
import { earlyTerminate } from './early-terminate-schema.ts';
import { anyValue, atLeastOne, atMost, duration, finite, line, list, size, text, whole } from './fields.ts';
import { optunaKeys } from './optuna-schema.ts';
import { conditions, parameter, parameterNameSchema } from './parameter-schema.ts';
import { MAX_POPULATION, pbt } from './population-schema.ts';
import { programKeys } from './program-schema.ts';

const MAX_DESCRIPTION = 10_000;
const MAX_PARAMETERS = 100;
const MAX_RULES = 200;
export const MAX_SEEDS = 10_000;
/** The largest seed. The random number generators of the trainers use seeds of 32 bits. */
export const MAX_SEED = 2 ** 32 - 1;
const MAX_CONCURRENCY = 100_000;
const MAX_RETRIES = 100;
const MAX_EPOCHS_BETWEEN = 100_000;
const MAX_HYPOTHESES = 200;
const MAX_GPUS = 64;
/** Larger counts would not always be exact as JavaScript numbers. */
const MAX_RUN_CAP = Number.MAX_SAFE_INTEGER;
const weightError = `expected a number from ${MIN_WEIGHT} to ${MAX_WEIGHT}`;
const weight = z
  .number({ error: weightError })
  .min(MIN_WEIGHT, { error: weightError })
  .max(MAX_WEIGHT, { error: weightError });

const gpuError = `expected a number of GPUs from 1 to ${MAX_GPUS}, or false`;
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
        `the minimum number of GPUs of the slot, from 1 to ${MAX_GPUS}; false: the slot must have no GPU; default: any slot`,
      ),
    vram: size
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
      .superRefine(atMost(MAX_LABELS, 'labels'))
      .optional()
      .describe(
        `labels that the agent must have (trawl agent --label), such as {zone: a}; up to ${MAX_LABELS}; default: none`,
      ),
  },
  { error: 'expected a mapping, such as {gpu: 1, vram: 8GiB, labels: {zone: a}}' },
);

const MAX_OBJECTIVES = 4;
const MAX_WARM_SWEEPS = 20;
const sweepIdError = 'expected the id or the name of a sweep';
const warmStartItem = z.union([z.int({ error: sweepIdError }).min(1, { error: sweepIdError }), line('a sweep')], {
  error: sweepIdError,
});

const goalText =
  'whether lower or higher values are better; default: maximize if the name has a word such as accuracy, f1, auc or psnr ' +
  'and no word such as loss or error, else minimize';

export const METHODS = ['grid', 'random', 'bayes', 'tpe', 'sobol', 'optuna', 'pbt'] as const;

/**
 * Keys of Weights & Biases that have no meaning in trawl. These keys are accepted and ignored, and the plan lists them.
 * A file with such a key and the trainer `command` counts as a W&B file (program.ts).
 */
export const IGNORED_KEYS = [
  'project',
  'entity',
  'apiVersion',
  'kind',
  'controller',
  'job',
  'launch',
  'scheduler',
  'image_uri',
  'settings',
  'prior_runs',
] as const;
export const IGNORED_METRIC_KEYS = ['impute', 'impute_while_running'] as const;

const ignored = z.unknown().optional().describe('a key of Weights & Biases without meaning in trawl; ignored');

const trainers = Object.keys(TRAINERS) as TrainerName[];

const maxFailedError = 'expected a count such as 10, or a percentage such as "10%"';
const count = z.int({ error: maxFailedError }).min(0, { error: maxFailedError });
const share = z.string().regex(/^(?:100|\d{1,2}(?:\.\d{1,6})?)%$/, { error: maxFailedError });

/**
 * The maximum number of adaptive replicates. An effect that needs more replicates is too small to matter in practice.
 */
const MAX_ADAPTIVE_REPLICATES = 100;
const replicatesError =
  `expected a whole number from 1 to ${MAX_SEEDS}, or {min: 3, max: 20, until: decided} with min at least 2 ` +
  `and max at most ${MAX_ADAPTIVE_REPLICATES}`;
const replicates = z.union(
  [
    whole(1, MAX_SEEDS),
    z.strictObject({
      min: whole(2, MAX_ADAPTIVE_REPLICATES).describe('number of replicates of every config, at least 2'),
      max: whole(3, MAX_ADAPTIVE_REPLICATES).describe('maximum number of replicates of a config'),
      until: z.literal('decided'),
    }),
  ],
  { error: replicatesError },
);

export const sweepFileSchema = z.strictObject(
  {
    name: line('text').optional().describe('name of the sweep; default: the name of the file'),
    description: z
      .string({ error: 'expected text' })
      .max(MAX_DESCRIPTION, { error: `expected at most ${MAX_DESCRIPTION} characters` })
      .optional()
      .describe(`description for people; up to ${MAX_DESCRIPTION} characters`),
    method: z
      .enum(METHODS)
      .optional()
      .describe(`the method that chooses the points; bayes is treated as tpe; default: ${DEFAULT_METHOD}`),
    metric: z
      .strictObject(
        {
          name: text('the name of a metric').describe('name of a metric that the trainer reports'),
          goal: z.enum(['minimize', 'maximize']).optional().describe(goalText),
          at: z
            .enum(['last', 'best'])
            .optional()
            .describe(
              `whether a trial's value is the last or the best value over the steps; default: ${DEFAULT_METRIC_AT}`,
            ),
          target: finite.optional().describe('the sweep ends when one trial reaches this value; default: none'),
          impute: ignored,
          impute_while_running: ignored,
        },
        { error: 'expected a mapping, such as {name: test_loss, goal: minimize}' },
      )
      .optional()
      .describe(
        "the metric that ranks the trials; default: the trainer's first metric. Trainer command requires a metric, except " +
          'for files of Weights & Biases and commands with the macro args: if such a file names no metric, the first ' +
          'metric that appears in two reports of a trial ranks the trials',
      ),
    metrics: list(
      z.strictObject(
        {
          name: text('the name of a metric').describe('name of a metric that the trainer reports'),
          goal: z.enum(['minimize', 'maximize']).optional().describe(goalText),
        },
        { error: 'expected a mapping, such as {name: test_loss, goal: minimize}' },
      ),
      'metrics, such as [{name: test_loss}, {name: psnr}]',
      MAX_OBJECTIVES,
    )
      .min(2, { error: 'expected at least two metrics in the list (for a single metric, write "metric")' })
      .optional()
      .describe(
        `2 to ${MAX_OBJECTIVES} objectives, as an alternative to the key metric; trials are ranked by Pareto front; the first metric counts for early_terminate`,
      ),
    trainer: z.enum(trainers).describe('the trainer; default: command, if the file has a command or program'),
    ...programKeys,
    parameters: z
      .record(parameterNameSchema, parameter, {
        error: 'expected a mapping of parameters, such as {depth: {values: [3, 5]}}',
      })
      .superRefine(atMost(MAX_PARAMETERS, 'parameters'))
      .describe(`the parameters of the trials, up to ${MAX_PARAMETERS}; in a grid, the last parameter varies fastest`),
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
        'rules that drop points; a rule drops the points that match all of its conditions; a condition with a list matches any value in the list; default: none',
      ),
    when: list(
      z.strictObject(
        {
          if: conditions.describe('conditions on the point as it is before any rule in when is applied'),
          set: z
            .record(parameterNameSchema, anyValue, {
              error: 'expected a mapping of parameters to values, such as {epochs: 13}',
            })
            .describe('the new values of parameters; later rules take precedence'),
        },
        { error: 'expected a mapping with "if" and "set"' },
      ),
      'rules',
      MAX_RULES,
    )
      .optional()
      .describe(
        'rules that set parameters; a rule applies to the points that match all of its conditions; default: none',
      ),
    replicates: replicates
      .optional()
      .describe(
        `number of trials per config, with seeds 0, 1, 2, ...; 1 to ${MAX_SEEDS}; default 1; cannot be combined with seeds; ` +
          '{min: 3, max: 20, until: decided} adds replicates until the hypotheses or the best config are decided',
      ),
    seeds: atLeastOne(list(whole(0, MAX_SEED), 'seeds', MAX_SEEDS))
      .optional()
      .describe(
        `seeds of the trials of each config, from 0 to ${MAX_SEED}; default [${DEFAULT_SEED}]; cannot be combined with replicates`,
      ),
    order: z
      .enum(['grid', 'shuffled'])
      .optional()
      .describe(
        'the order in which the trials of a grid start: with "grid", the last parameter varies fastest; with "shuffled", ' +
          'the key "seed" determines a random order; default: grid',
      ),
    seed: whole(0, MAX_SEED)
      .optional()
      .describe(
        `the seed of order: shuffled (required) and of methods random, tpe, optuna and pbt (default ${DEFAULT_SEED}), from 0 to ${MAX_SEED}`,
      ),
    concurrency: whole(1, MAX_CONCURRENCY)
      .optional()
      .describe(
        `maximum number of trials that run at the same time, from 1 to ${MAX_CONCURRENCY}; default: the number of slots`,
      ),
    priority: whole(-MAX_PRIORITY, MAX_PRIORITY)
      .optional()
      .describe(
        `trials of sweeps with a higher priority start first; from -${MAX_PRIORITY} to ${MAX_PRIORITY}; default ${DEFAULT_PRIORITY}`,
      ),
    weight: weight
      .optional()
      .describe(
        `share of the slots relative to other sweeps of the same priority; from ${MIN_WEIGHT} to ${MAX_WEIGHT}; default ${DEFAULT_WEIGHT}`,
      ),
    resources: resources.optional().describe('requirements on the slot of a trial; default: none'),
    retry: z
      .strictObject(
        {
          oom: whole(0, MAX_RETRIES)
            .optional()
            .describe(`retries after running out of memory, up to ${MAX_RETRIES}; default ${DEFAULT_RETRY.oom}`),
          crash: whole(0, MAX_RETRIES)
            .optional()
            .describe(
              `retries after a crash, or after a failed preflight if no other agent can run the trial; up to ${MAX_RETRIES}; default ${DEFAULT_RETRY.crash}`,
            ),
          timeout: whole(0, MAX_RETRIES)
            .optional()
            .describe(`retries after a timeout, up to ${MAX_RETRIES}; default ${DEFAULT_RETRY.timeout}`),
          backoff: duration
            .optional()
            .describe(
              `delay before the first retry, such as 10s; doubles with each further retry, up to 5 minutes; default ${DEFAULT_BACKOFF}`,
            ),
        },
        { error: 'expected a mapping, such as {oom: 1, crash: 2, timeout: 1, backoff: 10s}' },
      )
      .optional()
      .describe('retries per trial, by kind of failure'),
    timeout: duration.optional().describe('longest duration of an attempt, such as 90s, 2h or 1d; default: no limit'),
    speculate: z
      .boolean({ error: 'expected true or false' })
      .optional()
      .describe(
        `true: if an attempt runs three times as long as expected, an idle slot of another agent runs the trial too, and the first result counts; default ${DEFAULT_SPECULATE}`,
      ),
    checkpoint_every: whole(0, MAX_EPOCHS_BETWEEN)
      .optional()
      .describe(
        `epochs between two checkpoints, up to ${MAX_EPOCHS_BETWEEN}; 0: no checkpoints; default ${DEFAULT_CHECKPOINT_EVERY}`,
      ),
    reconstruct_every: whole(0, MAX_EPOCHS_BETWEEN)
      .optional()
      .describe(
        `epochs between two reconstruction images, up to ${MAX_EPOCHS_BETWEEN}; the last epoch always has one; 0: no images; default ${DEFAULT_RECONSTRUCT_EVERY}`,
      ),
    hypotheses: list(
      z.strictObject(
        {
          name: line('a name').describe('short, unique name, such as H1'),
          claim: line('a claim, such as "psnr[latent_dim=15] > psnr[latent_dim=100]"').describe(
            'an ordering (test_loss[latent_dim]: 15 > 30 > 50), a comparison (psnr[latent_dim=15] > psnr[latent_dim=100]) ' +
              'or a trend (test_loss falls over epochs); "not" negates a comparison; the two sides of a comparison ' +
              'can be ranges (range(test_loss, latent_dim)[dataset=mnist])',
          ),
          about: text('text').optional().describe('description for people'),
          where: conditions
            .optional()
            .describe(
              'conditions on the trials with which the claim is tested; the rules in when are applied before; default: all trials',
            ),
        },
        { error: 'expected a mapping with "name" and "claim"' },
      ),
      'hypotheses',
      MAX_HYPOTHESES,
    )
      .optional()
      .describe(
        'claims that are tested with the results of the replicates of each config; editing the claims does not change the sweep',
      ),
    max_failed: z
      .union([count, share], { error: maxFailedError })
      .optional()
      .describe(
        'the sweep is paused when more trials than this have failed: a count such as 10, or a percentage of all trials such as "10%"; default: no limit',
      ),
    run_cap: whole(1, MAX_RUN_CAP)
      .optional()
      .describe(
        `maximum number of trials, from 1 to ${MAX_RUN_CAP}; rounded down so that each config has all its ` +
          `replicates; with method pbt, at least the value of population; default ${DEFAULT_RUN_CAP} for methods ` +
          'random, sobol, tpe, bayes and optuna; no limit for grid and pbt',
      ),
    warm_start: atLeastOne(list(warmStartItem, 'sweeps, such as [12]', MAX_WARM_SWEEPS))
      .optional()
      .describe(
        `ids or names of earlier sweeps with the same parameters; methods tpe and optuna start with their results; up to ${MAX_WARM_SWEEPS}; default: none`,
      ),
    optuna: optunaKeys.optional().describe('the sampler of method optuna; default: the TPE sampler of Optuna'),
    population: whole(2, MAX_POPULATION)
      .optional()
      .describe(`method pbt: the number of members, from 2 to ${MAX_POPULATION}; required for pbt`),
    pbt: pbt.optional().describe('method pbt: how the members of the population are compared and changed'),
    early_terminate: earlyTerminate.optional().describe('the rule that stops trials early; default: none'),
    project: ignored,
    entity: ignored,
    apiVersion: ignored,
    kind: ignored,
    controller: ignored,
    job: ignored,
    launch: ignored,
    scheduler: ignored,
    image_uri: ignored,
    settings: ignored,
    prior_runs: ignored,
  },
  { error: 'expected a mapping of keys, such as name, trainer and parameters' },
);

export type SweepFile = z.infer<typeof sweepFileSchema>;

/** Returns the valid keys of the mapping at a path, or undefined if the mapping accepts every key. */
export function keysAt(path: readonly PropertyKey[]): readonly string[] | undefined {
  let schemas: readonly z.core.$ZodType[] = alternatives(sweepFileSchema);
  for (const step of path) schemas = schemas.flatMap((schema) => schemaAt(schema, step)).flatMap(alternatives);
  const objects = schemas.filter((schema) => schema instanceof z.ZodObject);
  return objects.length === 0 ? undefined : objects.flatMap(({ shape }) => Object.keys(shape));
}

/** Returns the schemas of all shapes that a value may have. */
function alternatives(schema: z.core.$ZodType): z.core.$ZodType[] {
  if (schema instanceof z.ZodOptional) return alternatives(schema.unwrap());
  return schema instanceof z.ZodUnion ? schema.options.flatMap(alternatives) : [schema];
}

/** Returns the schemas of an entry of a mapping or list. Empty if the mapping or list cannot have this entry. */
function schemaAt(schema: z.core.$ZodType, step: PropertyKey): z.core.$ZodType[] {
  if (schema instanceof z.ZodObject) return Object.hasOwn(schema.shape, step) ? [schema.shape[String(step)]] : [];
  if (schema instanceof z.ZodArray) return [schema.element];
  return schema instanceof z.ZodRecord ? [schema.valueType] : [];
}
