/** Generates the JSON Schema of the sweep file, for completion, hover texts and validation in editors. */
import * as z from 'zod';
import { type ParameterSpec, TRAINERS, type TrainerSpec } from '../../proto/trainers.ts';
import { sweepFileSchema } from './schema.ts';

/** One of these keys is required. The keys `command` and `program` imply `trainer: command`. */
const TRAINER_KEYS = ['trainer', 'command', 'program'];

/**
 * Returns the JSON Schema, draft 2020-12. The schema also accepts some invalid files, whose errors only the parser can
 * detect. It rejects a few valid files: files with a top-level key that only defines an anchor and does not begin with
 * `x-`, and W&B files with a number in place of a text, such as `name: 2024`.
 */
export function sweepFileJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(sweepFileSchema, { io: 'input', target: 'draft-2020-12' });
  const trainers = Object.entries(TRAINERS).map(([name, trainer]) => forTrainer(name, trainer));
  const anyOf = TRAINER_KEYS.map((key) => ({ required: [key] }));
  const required = (schema.required ?? []).filter((key) => key !== 'trainer');
  const properties = {
    ...schema.properties,
    command: orText(schema.properties?.command),
    code: orText(schema.properties?.code),
  };
  const patternProperties = { '^x-': {} };
  return { ...schema, properties, patternProperties, required, title: 'trawl sweep file', anyOf, allOf: trainers };
}

/**
 * Returns a schema that also accepts a single text, because the parser converts such a text before it checks the shape.
 */
function orText(schema: z.core.JSONSchema._JSONSchema | undefined) {
  if (typeof schema !== 'object') return {};
  const { description, ...list } = schema;
  return { description, anyOf: [{ type: 'string' }, list] };
}

function forTrainer(name: string, { open, parameters }: TrainerSpec) {
  const known = Object.fromEntries(
    Object.entries(parameters).map(([key, spec]) => [key, { description: about(spec) }]),
  );
  // The parameter named seed is valid with every trainer, because it gives the seeds of the replicates.
  const properties = { ...known, seed: {} };
  return {
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema; a schema is never awaited
    then: { properties: { parameters: { properties, ...(open ? {} : { additionalProperties: false }) } } },
    if: { properties: { trainer: { const: name } }, required: ['trainer'] },
  };
}

function about({ about: text, default: value }: ParameterSpec): string {
  return `${text}; default ${value}`;
}
