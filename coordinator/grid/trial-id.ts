/** Names that follow from content, so that the same point is the same trial wherever and whenever it is planned. */
import { createHash } from 'node:crypto';
import { type Parameters, type TrainerName, trainerSpec } from '../../proto/trainers.ts';
import { canonicalJson, type Json } from './canonical-json.ts';

/** Hex digits of an id: 64 bits, so that two of a million trials share one with probability 3e-8. */
export const ID_DIGITS = 16;

/** The id of a trial: 16 hex digits of SHA-256 over trainer, parameters that differ from the defaults, and seed. */
export function trialId(trainer: TrainerName, parameters: Parameters, seed: number): string {
  return shortHash({ trainer, parameters: withoutDefaults(trainer, parameters), seed });
}

/** The id that a trial's replicates share: as trialId, without the seed. */
export function configId(trainer: TrainerName, parameters: Parameters): string {
  return shortHash({ trainer, parameters: withoutDefaults(trainer, parameters) });
}

/** Left out, so that writing a default into a sweep file, or adding a parameter to a trainer, changes no id. */
export function withoutDefaults(trainer: TrainerName, parameters: Parameters): Parameters {
  const known = trainerSpec(trainer)?.parameters ?? {};
  return Object.fromEntries(
    Object.entries(parameters).filter(([name, value]) => !Object.hasOwn(known, name) || known[name]?.default !== value),
  );
}

function shortHash(content: Json): string {
  return createHash('sha256').update(canonicalJson(content)).digest('hex').slice(0, ID_DIGITS);
}
