/** How many slots an agent has. */
import { BadInputError, RefusedError } from '../../proto/errors.ts';

export interface SlotsAsked {
  /** Undefined: as the machine is. */
  readonly slots: number | undefined;
  readonly slotsPerGpu: number | undefined;
}

/**
 * One a GPU, or as many as are asked for on each; without GPUs one a core.
 * @throws {BadInputError} when both are asked for
 * @throws {RefusedError} when slots on GPUs are asked for, and there is none
 */
export function slotCount({ slots, slotsPerGpu }: SlotsAsked, gpus: number, cores: number): number {
  if (slotsPerGpu === undefined) return slots ?? (gpus || cores);
  if (slots !== undefined) throw new BadInputError('--slots and --slots-per-gpu say the same thing twice; keep one');
  if (gpus === 0) {
    throw new RefusedError(
      '--slots-per-gpu needs a GPU, and none is seen (nvidia-smi lists none); --slots is for a CPU',
    );
  }
  return gpus * slotsPerGpu;
}
