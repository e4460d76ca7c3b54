import { expect, test } from 'vitest';
import { sweepFileJsonSchema } from './json-schema.ts';
import { sweepFileSchema } from './schema.ts';

test('the JSON Schema has every key, the required keys, and a description of each key', () => {
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

test('it lists the parameters of each trainer, and forbids others unless the trainer is open', () => {
  const { allOf } = sweepFileJsonSchema() as { allOf: { if: object; then: { properties: { parameters: object } } }[] };
  const [autoencoder, noop] = allOf;
  expect(autoencoder?.if).toEqual({ properties: { trainer: { const: 'autoencoder' } }, required: ['trainer'] });
  expect(autoencoder?.then.properties.parameters).toMatchObject({
    properties: { latent_dim: { description: 'width of the code; default 30' } },
    additionalProperties: false,
  });
  expect(noop?.then.properties.parameters).not.toHaveProperty('additionalProperties');
});

test('it is serializable as JSON', () => {
  const schema = sweepFileJsonSchema();
  expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
});
