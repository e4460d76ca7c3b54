/** Packs: trials that one slot trains together, in one program. */
import { type Parameters, trainerSpec } from './trainers.ts';

/** The most trials of one pack. */
export const MAX_PACK = 1_024;

/** What trials must have alike to be trained as one pack; undefined: this one is trained alone. */
export function packKey(trainer: string, parameters: Parameters): string | undefined {
  const names = trainerSpec(trainer)?.packsBy;
  return names && JSON.stringify([trainer, ...names.map((name) => parameters[name] ?? null)]);
}
