/**
 * Derives the ids of trials and configs from their contents. Equal points have equal ids on every machine and in every
 * version of trawl.
 */
import { hash } from 'node:crypto';
import {
  type Parameters,
  type ParameterValue,
  TRAINERS,
  type TrainerName,
  type TrainerSpec,
} from '../../proto/trainers.ts';
import { canonicalJson } from '../../proto/values.ts';

/**
 * The length of an id in hex digits. An id has 64 bits, so the probability of a collision among a million trials is
 * 3e-8.
 */
const ID_DIGITS = 16;

/**
 * Returns the id of a trial: the first 16 hex digits of a SHA-256 hash. The hashed text is the canonical JSON of
 * `[trainer, parameters without defaults, seed]`.
 */
export function trialId(trainer: TrainerName, parameters: Parameters, seed: number): string {
  return idsOf(trainer, parameters).trialId(seed);
}

/** Returns the id that all replicates of a config share. The id is computed like `trialId`, without the seed. */
export function configId(trainer: TrainerName, parameters: Parameters): string {
  return idsOf(trainer, parameters).configId;
}

/**
 * Returns the id of a config, and a function that returns the ids of its trials. The parameters are serialized once for
 * all replicates.
 */
export function idsOf(
  trainer: TrainerName,
  parameters: Parameters,
): { readonly configId: string; readonly trialId: (seed: number) => string } {
  const content = `"${trainer}",${canonicalJson(withoutDefaults(trainer, parameters))}`;
  return { configId: shortHash(`[${content}]`), trialId: (seed) => shortHash(`[${content},${seed}]`) };
}

/**
 * Returns the parameters without those that have their default value. Ids therefore do not change when a default is
 * written into a sweep file, or when a trainer gets a new parameter.
 */
function withoutDefaults(trainer: TrainerName, parameters: Parameters): Parameters {
  const known: TrainerSpec['parameters'] = TRAINERS[trainer].parameters;
  const own: Record<string, ParameterValue> = Object.create(null);
  for (const [name, value] of Object.entries(parameters)) {
    if (!Object.hasOwn(known, name) || known[name]?.default !== value) own[name] = value;
  }
  return own;
}

function shortHash(content: string): string {
  return hash('sha256', content).slice(0, ID_DIGITS);
}
