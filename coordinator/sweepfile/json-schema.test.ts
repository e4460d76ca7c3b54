import { expect, test } from 'vitest';
import { sweepFileJsonSchema } from './json-schema.ts';
import { sweepFileSchema } from './schema.ts';

test('the JSON Schema knows every key, requires what a file needs, and says what each key is for', () => {
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

test('it offers the parameters of each trainer, and only of a closed one forbids the others', () => {
  const { allOf } = sweepFileJsonSchema() as { allOf: { if: object; then: { properties: { parameters: object } } }[] };
  const [autoencoder, noop] = allOf;
  expect(autoencoder?.if).toEqual({ properties: { trainer: { const: 'autoencoder' } }, required: ['trainer'] });
  expect(autoencoder?.then.properties.parameters).toMatchObject({
    properties: { latent_dim: { description: 'width of the code; default 30' } },
    additionalProperties: false,
  });
  expect(noop?.then.properties.parameters).not.toHaveProperty('additionalProperties');
});

test('it is plain JSON', () => {
  const schema = sweepFileJsonSchema();
  expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
});
