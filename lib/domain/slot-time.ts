/**
 * Computes and formats slot time: the time for which slots run attempts. A pack counts as a single slot. The time that
 * an attempt waits for the previous attempt of its slot does not count.
 */
import type { SlotTime, Trial } from '../../proto/gen/trawl/v1/types.ts';

export const NO_SLOT_TIME: SlotTime = { slotMs: 0, gpuMs: 0, slots: 0, gpus: 0, atMs: 0, attempts: 0 };

/** Returns the slot time at `now` (Unix time in milliseconds), assuming that the same slots are in use until then. */
export function slotTimeAt({ slotMs, gpuMs, slots, gpus, atMs, attempts }: SlotTime, now: number): SlotTime {
  const ms = Math.max(0, now - atMs);
  return { slotMs: slotMs + slots * ms, gpuMs: gpuMs + gpus * ms, slots, gpus, atMs: now, attempts };
}

/**
 * Returns how many trials each slot of a sweep runs now, on average. The result is at least 1, and more than 1 only if
 * slots train packs.
 */
export function trialsPerSlot({ slots, attempts }: Pick<SlotTime, 'slots' | 'attempts'>): number {
  return slots === 0 ? 1 : Math.max(1, attempts / slots);
}

/**
 * Returns how many trials of a sweep are in the state `running`, but still wait for the previous attempt of their slot.
 * @param running the number of trials in the state `running`
 */
export function queuedTrials(running: number, { attempts }: Pick<SlotTime, 'attempts'>): number {
  // While trials run, at least one attempt has started. Only a coordinator of an older release then sends 0 attempts.
  return attempts === 0 ? 0 : Math.max(0, running - attempts);
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
 * Returns the total time for which the attempts of a trial have held their leases, in milliseconds. The time between
 * attempts does not count. The time that an attempt waits for the previous attempt of its slot does not count once the
 * attempt has ended.
 */
export function leasedMs({ state, startedAtMs, leasedMs: ended }: Trial, now: number): number {
  const running = state === 'TRIAL_STATE_RUNNING' && startedAtMs > 0 ? Math.max(0, now - startedAtMs) : 0;
  return ended + running;
}

/**
 * Returns when the last attempt of a trial started, in Unix milliseconds; 0 if the trial has no attempt. If the trial
 * has not ended, returns the time of the grant, although the attempt may still wait for the previous attempt of its
 * slot.
 */
export function lastStartMs({
  startedAtMs,
  endedAtMs,
  leasedMs: all,
}: Pick<Trial, 'startedAtMs' | 'endedAtMs' | 'leasedMs'>): number {
  if (startedAtMs === 0 || endedAtMs === 0) return startedAtMs;
  return endedAtMs - attemptMs({ grantedAtMs: startedAtMs, endedAtMs, leasedMs: all });
}

interface EndedAttempt {
  readonly grantedAtMs: number;
  readonly endedAtMs: number;
  /**
   * The total time for which the attempts of the same trial ran, without the time for which they waited for their
   * slots.
   */
  readonly leasedMs: number;
}

/**
 * Returns how long an ended attempt ran, in milliseconds. If the trial has only this attempt, the result excludes the
 * wait for the previous attempt of the slot. If the trial has several attempts, the result can include this wait,
 * because only the total time of a trial's attempts is stored.
 */
export function attemptMs({ grantedAtMs, endedAtMs, leasedMs: all }: EndedAttempt): number {
  return Math.max(0, Math.min(endedAtMs - grantedAtMs, all));
}
