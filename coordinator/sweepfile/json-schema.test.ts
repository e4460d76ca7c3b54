// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { sweepFileJsonSchema } from './json-schema.ts';
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

test('the JSON Schema has the parameters of each trainer, and others only if the trainer accepts any parameter', () => {
  const { allOf } = sweepFileJsonSchema() as { allOf: { if: object; then: { properties: { parameters: object } } }[] };
  const [autoencoder, noop] = allOf;
  expect(autoencoder?.if).toEqual({ properties: { trainer: { const: 'autoencoder' } }, required: ['trainer'] });
  expect(autoencoder?.then.properties.parameters).toMatchObject({
    properties: { latent_dim: { description: 'width of the code; default 30' } },
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

test.each(VALID)('an editor accepts %j', (text) => {
  const validate = new Ajv2020({ strict: false }).compile(sweepFileJsonSchema());
  expect(validate(parse(text)), JSON.stringify(validate.errors)).toBe(true);
});

test.each([
  'program: t.py\nparameters: {lr: {vlaue: 1}}',
  'program: t.py\nparameters: {m: {parameters: {n: {vlaue: 1}}}}',
  'program: t.py\nparameters: {a=b: {value: 1}}',
  'program: t.py\nparameters: {}\nreport: xml',
  'program: t.py\nparameters: {}\ncode: {folder: .}',
])('an editor marks %j as invalid', (text) => {
  expect(new Ajv2020({ strict: false }).compile(sweepFileJsonSchema())(parse(text))).toBe(false);
});
