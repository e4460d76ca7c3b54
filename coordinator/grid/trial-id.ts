/** Names that follow from content, so that the same point is the same trial wherever and whenever it is planned. */
import { hash } from 'node:crypto';
import {
  type Parameters,
  type ParameterValue,
  TRAINERS,
  type TrainerName,
  type TrainerSpec,
} from '../../proto/trainers.ts';
import { canonicalJson } from './canonical-json.ts';

/** Hex digits of an id: 64 bits, so that two of a million trials share one with probability 3e-8. */
export const ID_DIGITS = 16;

/** The id of a trial: 16 hex digits of SHA-256 over the canonical JSON `[trainer, parameters that are not the default, seed]`. */
export function trialId(trainer: TrainerName, parameters: Parameters, seed: number): string {
  return idsOf(trainer, parameters).trialId(seed);
}

/** The id that a trial's replicates share: as trialId, without the seed. */
export function configId(trainer: TrainerName, parameters: Parameters): string {
  return idsOf(trainer, parameters).configId;
}

/** Both ids of a config whose replicates are many: its parameters are written out once. */
export function idsOf(
  trainer: TrainerName,
  parameters: Parameters,
): { readonly configId: string; readonly trialId: (seed: number) => string } {
  const content = `"${trainer}",${canonicalJson(withoutDefaults(trainer, parameters))}`;
  return { configId: shortHash(`[${content}]`), trialId: (seed) => shortHash(`[${content},${seed}]`) };
}

/** Left out, so that writing a default into a sweep file, or adding a parameter to a trainer, changes no id. */
function withoutDefaults(trainer: TrainerName, parameters: Parameters): Parameters {
  const known: TrainerSpec['parameters'] = TRAINERS[trainer].parameters;
  const own: Record<string, ParameterValue> = {};
  for (const [name, value] of Object.entries(parameters)) {
    if (!Object.hasOwn(known, name) || known[name]?.default !== value) own[name] = value;
  }
  return own;
}

function shortHash(content: string): string {
  return hash('sha256', content).slice(0, ID_DIGITS);
}
