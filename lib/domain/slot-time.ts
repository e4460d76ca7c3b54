/** The time for which attempts hold slots, from the grant of a lease to its end. A pack counts as a single slot. */
import type { SlotTime, Trial } from '../../proto/gen/trawl/v1/types.ts';

export const NO_SLOT_TIME: SlotTime = { slotMs: 0, gpuMs: 0, slots: 0, gpus: 0, atMs: 0 };

/** Returns the slot time at a later moment, in Unix milliseconds, if the same slots are held until then. */
export function slotTimeAt({ slotMs, gpuMs, slots, gpus, atMs }: SlotTime, now: number): SlotTime {
  const ms = Math.max(0, now - atMs);
  return { slotMs: slotMs + slots * ms, gpuMs: gpuMs + gpus * ms, slots, gpus, atMs: now };
}

const hours = (ms: number): string => (ms / 3_600_000).toFixed(2);

/**
 * Formats the GPU time in hours; without GPUs, the slot time. Examples: `12.40 GPU-hours`, `0.23 slot-hours`.
 */
export function slotTimeText({ slotMs, gpuMs }: SlotTime): string {
  return gpuMs > 0 ? `${hours(gpuMs)} GPU-hours` : `${hours(slotMs)} slot-hours`;
}

/**
 * Returns how long all attempts of a trial have held their leases, in milliseconds. The time between attempts does not
 * count.
 */
export function leasedMs({ state, startedAtMs, leasedMs: ended }: Trial, now: number): number {
  const running = state === 'TRIAL_STATE_RUNNING' && startedAtMs > 0 ? Math.max(0, now - startedAtMs) : 0;
  return ended + running;
}
