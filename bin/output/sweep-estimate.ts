/** The estimated duration and slot time of a whole sweep, and their text. */
import type { DurationInterval } from '../../coordinator/analysis/trial-durations.ts';
import { NO_SLOT_TIME, slotTimeAt, slotTimeText, trialsPerSlot } from '../../lib/domain/slot-time.ts';
import { endedTotal } from '../../lib/domain/trial-state.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { countText } from '../../lib/text/numbers.ts';
import type { Sweep, TimeLeft } from '../../proto/gen/trawl/v1/types.ts';

/** The estimate for a whole sweep, from its start to its end. Durations are in milliseconds. */
export interface WholeSweepEstimate {
  readonly duration: DurationInterval;
  readonly slotTime: DurationInterval;
  readonly slots: number;
}

/**
 * Returns the estimate for a sweep that runs: the time so far plus the time left. Undefined if the time left is
 * unknown.
 * @param now Unix milliseconds
 */
export function runningEstimate(sweep: Sweep, now: number): WholeSweepEstimate | undefined {
  const { timeLeft, slotTimeLeft, slotShare, slotTime = NO_SLOT_TIME } = sweep;
  if (timeLeft === undefined || slotTimeLeft === undefined || slotShare === undefined) return undefined;
  return {
    duration: after(now - sweep.createdAtMs, timeLeft),
    slotTime: after(slotTimeAt(slotTime, now).slotMs, slotTimeLeft),
    // `slotShare.slots` is a number of trials that run at the same time. A slot that trains a pack runs several of
    // them.
    slots: Math.max(1, Math.round(slotShare.slots / trialsPerSlot(slotTime))),
  };
}

function after(doneMs: number, { lowMs, expectedMs, highMs }: TimeLeft): DurationInterval {
  return { low: doneMs + lowMs, expected: doneMs + expectedMs, high: doneMs + highMs };
}

/** Formats an estimate, such as `about 14h on 8 slots (90% interval 11h to 19h), 110.2 slot-hours`. */
export function estimateText({ duration, slotTime, slots }: WholeSweepEstimate): string {
  const range = `${formatSpan(duration.low)} to ${formatSpan(duration.high)}`;
  const total = slotTimeText({ ...NO_SLOT_TIME, slotMs: slotTime.expected });
  return `about ${formatSpan(duration.expected)} on ${countText(slots, 'slot')} (90% interval ${range}), ${total}`;
}

/** Formats the estimate for a sweep that runs, and states which trials the estimate comes from. */
export function runningEstimateText(sweep: Sweep, estimate: WholeSweepEstimate): string {
  const ended = endedTotal(sweep);
  const source = ended === 0 ? 'its running trials' : `its ${countText(ended, 'ended trial')}`;
  return `${estimateText(estimate)}; from ${source}`;
}

export function wholeEstimateJson({ duration, slotTime, slots }: WholeSweepEstimate) {
  const inUnits = ({ low, expected, high }: DurationInterval, ms: number) => ({
    low: low / ms,
    expected: expected / ms,
    high: high / ms,
  });
  return { slots, duration_s: inUnits(duration, 1_000), slot_hours: inUnits(slotTime, 3_600_000) };
}
