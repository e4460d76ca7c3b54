/**
 * Measures the slot time and the GPU time of a sweep from the starts and ends of its attempts. A usage is the time for
 * which one slot runs an attempt or a pack.
 */
import type { SlotTime } from '../../proto/gen/trawl/v1/types.ts';

/** The slot time and the GPU time of a sweep so far. Start times are Unix milliseconds. */
export interface SlotTimeMeter {
  /** The slot time of usages that have ended, in milliseconds. */
  slotMs: number;
  gpuMs: number;
  /** The number of usages that have not ended, and the sum of their start times. */
  slots: number;
  sinceSum: number;
  /** The number of GPUs of the usages that have not ended. */
  gpus: number;
  /** The sum of (start time) × (number of GPUs) over the usages that have not ended. */
  gpuSinceSum: number;
  /** The number of attempts that have started and have not ended. Each attempt of a pack is counted. */
  attempts: number;
}

export const newSlotTimeMeter = (): SlotTimeMeter => ({
  slotMs: 0,
  gpuMs: 0,
  slots: 0,
  sinceSum: 0,
  gpus: 0,
  gpuSinceSum: 0,
  attempts: 0,
});

/** The slot time of one usage that has ended. */
export interface UsedSlotTime {
  readonly slotMs: number;
  readonly gpuMs: number;
}

interface MeasuredUsage {
  readonly startedAt: number;
  readonly gpus: number;
}

export function beginSlotTime(meter: SlotTimeMeter, { startedAt, gpus }: MeasuredUsage): void {
  meter.slots += 1;
  meter.sinceSum += startedAt;
  meter.gpus += gpus;
  meter.gpuSinceSum += gpus * startedAt;
}

export function endSlotTime(meter: SlotTimeMeter, { startedAt, gpus }: MeasuredUsage, now: number): UsedSlotTime {
  const slotMs = Math.max(0, now - startedAt);
  const used = { slotMs, gpuMs: slotMs * gpus };
  meter.slots -= 1;
  meter.sinceSum -= startedAt;
  meter.gpus -= gpus;
  meter.gpuSinceSum -= gpus * startedAt;
  meter.slotMs += used.slotMs;
  meter.gpuMs += used.gpuMs;
  return used;
}

/** Returns the slot time of a sweep up to now. */
export function slotTimeOf(meter: SlotTimeMeter, now: number): SlotTime {
  const { slotMs, gpuMs, slots, sinceSum, gpus, gpuSinceSum, attempts } = meter;
  return {
    slotMs: slotMs + Math.max(0, slots * now - sinceSum),
    gpuMs: gpuMs + Math.max(0, gpus * now - gpuSinceSum),
    slots,
    gpus,
    atMs: now,
    attempts,
  };
}
