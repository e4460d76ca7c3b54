/** Which GPUs each slot's worker sees, and how much of their memory is its own. */
import type { Gpu } from './gpus.ts';

export interface SlotGpus {
  /** As CUDA_VISIBLE_DEVICES counts them; none: the machine has no GPU. */
  readonly indexes: readonly number[];
  /** Slots that share each of them, this one among them. */
  readonly sharedBy: number;
  /** Bytes that the slot may count on, on each of them; 0 without one. */
  readonly vramBytes: number;
}

/**
 * As many slots as GPUs, or more: each has one, and shares it evenly with the slots that have the same. Fewer: each has
 * as many as go into its share, and what is left over is nobody's.
 */
export function slotGpus(gpus: readonly Gpu[], slots: number): readonly SlotGpus[] {
  return Array.from({ length: slots }, (_, slot) => {
    if (gpus.length === 0) return { indexes: [], sharedBy: 1, vramBytes: 0 };
    const each = Math.max(1, Math.floor(gpus.length / slots));
    const first = (slot * each) % gpus.length;
    const own = gpus.slice(first, first + each);
    const sharedBy = slots <= gpus.length ? 1 : Math.ceil((slots - first) / gpus.length);
    const least = Math.min(...own.map(({ memoryBytes }) => memoryBytes));
    return { indexes: own.map(({ index }) => index), sharedBy, vramBytes: Math.floor(least / sharedBy) };
  });
}
