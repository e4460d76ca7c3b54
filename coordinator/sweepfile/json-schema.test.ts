// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { usualGoal } from '../../lib/domain/ranking.ts';
import { trialLimit } from '../grid/spec.ts';
import { sweepFileJsonSchema } from './json-schema.ts';
import { parseSweep } from './parse.ts';
import { sweepFileSchema } from './schema.ts';

test('the JSON Schema lists every key and the required keys, and describes each key', () => {
  const schema = sweepFileJsonSchema();
  expect(schema).toMatchObject({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    required: ['parameters'],
    anyOf: [{ required: ['trainer'] }, { required: ['command'] }, { required: ['program'] }],
    additionalProperties: false,
  });
  const properties = schema.properties as Record<string, { description?: string }>;
  expect(Object.keys(properties)).toEqual(Object.keys(sweepFileSchema.shape));
  for (const [key, { description }] of Object.entries(properties)) expect(description, key).toBeTruthy();
});

test('the JSON Schema lists the parameters of each trainer, and accepts other parameters only if the trainer accepts any parameter', () => {
  const { allOf } = sweepFileJsonSchema() as { allOf: { if: object; then: { properties: { parameters: object } } }[] };
  const [autoencoder, noop] = allOf;
  expect(autoencoder?.if).toEqual({ properties: { trainer: { const: 'autoencoder' } }, required: ['trainer'] });
  expect(autoencoder?.then.properties.parameters).toMatchObject({
    properties: {
      latent_dim: { description: 'number of values in the code layer, between encoder and decoder; default 30' },
    },
    additionalProperties: false,
  });
  expect(noop?.then.properties.parameters).not.toHaveProperty('additionalProperties');
});

test('the JSON Schema can be serialized as JSON', () => {
  const schema = sweepFileJsonSchema();
  expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
});

const VALID = [
  'program: t.py\nproject: p\nmethod: random\nearly_terminate: {type: hyperband, min_iter: 2}\nparameters: {lr: {distribution: uniform, min: 0, max: 1}}',
  'command: python3 t.py ${args}\nparameters: {m: {parameters: {n: {values: [[1], null, {a: 1}]}}}, +a/b: {file: v.txt}}',
  'trainer: autoencoder\nparameters: {seed: {values: [1, 2]}, depth: {min: 3, max: 5, step: 2}}\nexclude: [{depth: [3]}]',
  'program: t.py\nmetric: {name: l, impute: worst}\nenv: {A: 1}\nreport: [json, {hook: [wandb]}]\nclassify: [{pattern: x, class: oom}]\nparameters: {}',
  'program: t.py\ncode: .\nparameters: {}',
  'program: t.py\ncode: {dir: src, exclude: [data/], diff: false, limit: 500MB}\nparameters: {}',
];

test.each(VALID)('the JSON Schema accepts %j', (text) => {
  const validate = new Ajv2020({ strict: false }).compile(sweepFileJsonSchema());
  expect(validate(parse(text)), JSON.stringify(validate.errors)).toBe(true);
});

test.each([
  'program: t.py\nparameters: {lr: {vlaue: 1}}',
  'program: t.py\nparameters: {m: {parameters: {n: {vlaue: 1}}}}',
  'program: t.py\nparameters: {a=b: {value: 1}}',
  'program: t.py\nparameters: {}\nreport: xml',
  'program: t.py\nparameters: {}\ncode: {folder: .}',
])('the JSON Schema rejects %j', (text) => {
  expect(new Ajv2020({ strict: false }).compile(sweepFileJsonSchema())(parse(text))).toBe(false);
});

interface Described {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Described>>;
  readonly items?: Described;
  readonly anyOf?: readonly Described[];
}

/** Returns the path and the description of every key in a schema. */
function descriptionsIn({ properties = {}, items, anyOf = [] }: Described, path: string): [string, string][] {
  const nested = [items, ...anyOf].flatMap((one) => (one === undefined ? [] : descriptionsIn(one, path)));
  const own = Object.entries(properties).flatMap(([key, value]): [string, string][] => {
    const here = path === '' ? key : `${path}.${key}`;
    return [[here, value.description ?? ''], ...descriptionsIn(value, here)];
  });
  return [...own, ...nested];
}

const descriptions = new Map(descriptionsIn(sweepFileJsonSchema() as Described, ''));

/** Returns the default that the description of a key states, such as `2s` or `[0.8, 1.2]`; empty if it states none. */
function defaultIn(key: string): string {
  return /default:? (\[.*?\]|[^\s;),]+)/.exec(descriptions.get(key) ?? '')?.[1] ?? '';
}

const AUTOENCODER = { trainer: 'autoencoder', parameters: { noise_std: { min: 0, max: 1, step: 0.5 } } };
const PROGRAM = { command: ['t', '${args}'], metric: { name: 'loss' }, parameters: {} };
const POPULATION = { ...AUTOENCODER, method: 'pbt', population: 8, parameters: { noise_std: { min: 0.1, max: 1 } } };

/** The keys whose defaults are tested. The value of each entry is a sweep file that omits the key. */
const DEFAULTS: Readonly<Record<string, object>> = {
  method: AUTOENCODER,
  'metric.at': { ...AUTOENCODER, metric: { name: 'psnr' } },
  replicates: AUTOENCODER,
  seeds: AUTOENCODER,
  order: AUTOENCODER,
  priority: AUTOENCODER,
  weight: AUTOENCODER,
  'retry.oom': AUTOENCODER,
  'retry.crash': AUTOENCODER,
  'retry.timeout': AUTOENCODER,
  'retry.backoff': AUTOENCODER,
  speculate: AUTOENCODER,
  checkpoint_every: AUTOENCODER,
  reconstruct_every: AUTOENCODER,
  'early_terminate.variant': { ...AUTOENCODER, early_terminate: { type: 'asha' } },
  'early_terminate.min_iter': { ...AUTOENCODER, early_terminate: { type: 'asha' } },
  'early_terminate.eta': { ...AUTOENCODER, early_terminate: { type: 'asha' } },
  'early_terminate.strict': { ...AUTOENCODER, early_terminate: { type: 'hyperband', min_iter: 1 } },
  'early_terminate.min_trials': { ...AUTOENCODER, early_terminate: { type: 'median' } },
  'early_terminate.min_delta': { ...AUTOENCODER, early_terminate: { type: 'patience', patience: 1 } },
  'pbt.quantile': { ...POPULATION, pbt: { interval: 1 } },
  'pbt.perturb': { ...POPULATION, pbt: { interval: 1 } },
  'pbt.resample': { ...POPULATION, pbt: { interval: 1 } },
  'optuna.sampler': { ...AUTOENCODER, method: 'optuna', run_cap: 5 },
  seed: { ...AUTOENCODER, method: 'random', run_cap: 5 },
  run_cap: { ...AUTOENCODER, method: 'random' },
  'code.diff': { ...PROGRAM, code: {} },
  'code.limit': { ...PROGRAM, code: {} },
};

test.each(Object.entries(DEFAULTS))('the schema describes the default of %s correctly', (key, file) => {
  const written = parse(defaultIn(key));
  expect(written, `the default in: ${descriptions.get(key)}`).not.toBeNull();
  const [top = '', inner] = key.split('.');
  const owner = (file as Record<string, object | undefined>)[top] ?? {};
  const explicit = { ...file, [top]: inner === undefined ? written : { ...owner, [inner]: written } };
  const specOf = (data: object) => {
    const { notes, ...spec } = parseSweep(JSON.stringify(data), 'x.json');
    return JSON.parse(JSON.stringify({ ...spec, runCap: trialLimit(spec) }));
  };
  expect(specOf(explicit)).toEqual(specOf(file));
});

test('the default of each key is tested, unless the text of the default is an exception, such as "no limit"', () => {
  const rules =
    /default:? (?:none|no limit|no requirement|any slot|all |the |command|maximize if|json, and|offline for|programs run|constant for|5m|mean|standard|[01](?:$|;|\.| ))/;
  for (const [key, text] of descriptions) {
    if (!/default/.test(text) || Object.hasOwn(DEFAULTS, key)) continue;
    expect(text, key).toMatch(rules);
  }
});

test('the description of the key "goal" agrees with the default goals of metrics', () => {
  const text = descriptions.get('metric.goal') ?? '';
  expect(text).toBe(descriptions.get('metrics.goal'));
  for (const word of ['accuracy', 'f1', 'auc', 'psnr']) {
    expect(text).toContain(word);
    expect(usualGoal(`val_${word}`)).toBe('maximize');
    expect(usualGoal(`${word}_loss`)).toBe('minimize');
  }
  for (const word of ['loss', 'error']) expect(text).toContain(word);
});
