/**
 * Computes and formats slot time: the time for which slots run attempts. A pack counts as a single slot. The time that
 * an attempt waits for the previous attempt of its slot does not count.
 */
import type { SlotTime, Trial } from '../../proto/gen/trawl/v1/types.ts';

export const NO_SLOT_TIME: SlotTime = { slotMs: 0, gpuMs: 0, slots: 0, gpus: 0, atMs: 0 };

/** Returns the slot time at `now` (Unix time in milliseconds), assuming that the same slots are held until then. */
export function slotTimeAt({ slotMs, gpuMs, slots, gpus, atMs }: SlotTime, now: number): SlotTime {
  const ms = Math.max(0, now - atMs);
  return { slotMs: slotMs + slots * ms, gpuMs: gpuMs + gpus * ms, slots, gpus, atMs: now };
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/**
 * Formats the GPU time; without GPUs, the slot time. The unit is the largest unit in which the time is at least 1.
 * Examples: `12.4 GPU-hours`, `7.5 slot-minutes`, `38 slot-seconds`.
 */
export function slotTimeText({ slotMs, gpuMs }: SlotTime): string {
  const [ms, what] = gpuMs > 0 ? [gpuMs, 'GPU'] : [slotMs, 'slot'];
  if (ms >= HOUR_MS) return `${(ms / HOUR_MS).toFixed(1)} ${what}-hours`;
  if (ms >= MINUTE_MS) return `${(ms / MINUTE_MS).toFixed(1)} ${what}-minutes`;
  return `${Math.floor(ms / SECOND_MS)} ${what}-seconds`;
}

/**
 * Returns how long all attempts of a trial have held their leases, in milliseconds. The time between attempts does not
 * count.
 */
export function leasedMs({ state, startedAtMs, leasedMs: ended }: Trial, now: number): number {
  const running = state === 'TRIAL_STATE_RUNNING' && startedAtMs > 0 ? Math.max(0, now - startedAtMs) : 0;
  return ended + running;
}

interface EndedAttempt {
  readonly grantedAtMs: number;
  readonly endedAtMs: number;
  /** The time for which the attempts of its trial ran, without the time that they waited for their slots. */
  readonly leasedMs: number;
}

/**
 * Returns how long an ended attempt ran, in milliseconds. The wait for the previous attempt of its slot does not count,
 * except that of an attempt whose trial also has other attempts: only the total time of a trial's attempts is stored.
 */
export function attemptMs({ grantedAtMs, endedAtMs, leasedMs: all }: EndedAttempt): number {
  return Math.max(0, Math.min(endedAtMs - grantedAtMs, all));
}
