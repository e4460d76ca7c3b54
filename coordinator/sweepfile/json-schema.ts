/** The sweep file's JSON Schema, for editors: completion, hover texts and red lines while typing. */
import { z } from 'zod';
import { type ParameterSpec, TRAINERS, type TrainerSpec } from '../../proto/trainers.ts';
import { sweepFileSchema } from './schema.ts';

/** JSON Schema, draft 2020-12. Every file that parses is valid by it; what only parsing can tell, it lets pass. */
export function sweepFileJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(sweepFileSchema, { io: 'input', target: 'draft-2020-12' });
  const trainers = Object.entries(TRAINERS).map(([name, trainer]) => forTrainer(name, trainer));
  return { ...schema, title: 'trawl sweep file', allOf: trainers };
}

/** With this trainer, these are the parameters. */
function forTrainer(name: string, { open, parameters }: TrainerSpec) {
  const known = Object.fromEntries(
    Object.entries(parameters).map(([key, spec]) => [key, { description: about(spec) }]),
  );
  return {
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema; nobody awaits a schema
    then: { properties: { parameters: { properties: known, ...(open ? {} : { additionalProperties: false }) } } },
    if: { properties: { trainer: { const: name } }, required: ['trainer'] },
  };
}

function about({ about: text, default: value }: ParameterSpec): string {
  return `${text}; default ${value}`;
}
