/** The sweep file's JSON Schema, for editors: completion, hover texts and red lines while typing. */
import { z } from 'zod';
import { type ParameterSpec, TRAINERS, type TrainerSpec } from '../../proto/trainers.ts';
import { sweepFileSchema } from './schema.ts';

/** A command, or the program of one, implies its trainer. */
const TRAINER_SAID_BY = ['trainer', 'command', 'program'];

/** JSON Schema, draft 2020-12. Every file that parses is valid by it; what only parsing can tell, it lets pass. */
export function sweepFileJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(sweepFileSchema, { io: 'input', target: 'draft-2020-12' });
  const trainers = Object.entries(TRAINERS).map(([name, trainer]) => forTrainer(name, trainer));
  const anyOf = TRAINER_SAID_BY.map((key) => ({ required: [key] }));
  const required = (schema.required ?? []).filter((key) => key !== 'trainer');
  return { ...schema, required, title: 'trawl sweep file', anyOf, allOf: trainers };
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
