/** Checks `metric.target`: a sweep ends when a trial reaches this value. */
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import type { GoalName } from '../../proto/names.ts';

/** Returns whether a metric's value is at the target or better. Returns false for a value that is not finite. */
export function reachesTarget(value: number | undefined, target: number, goal: GoalName): boolean {
  if (value === undefined || !Number.isFinite(value)) return false;
  return goal === 'minimize' ? value <= target : value >= target;
}

const PREFIX = 'target reached: ';

/** Returns the reason that is recorded when a sweep ends because a trial reached the target. */
export function targetReason({
  trialId,
  metric,
  value,
  step,
  target,
}: {
  readonly trialId: string;
  readonly metric: string;
  readonly value: number;
  readonly step: number;
  readonly target: number;
}): string {
  return `${PREFIX}trial ${trialId} has ${metric} ${value} at step ${step} (target ${target})`;
}

/**
 * Returns whether the sweep ended because a trial reached the target. The cancelled trials of such a sweep were not
 * needed, so commands do not count them as failures.
 */
export function endedByTarget({ reason }: Pick<Sweep, 'reason'>): boolean {
  return reason.startsWith(PREFIX);
}
