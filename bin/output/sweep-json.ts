import { trialTotal } from '../../lib/domain/trial-state.ts';
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { goal, sweepState } from '../../proto/names.ts';
import { isoTime, secondsBetween } from './time-text.ts';

/** A sweep as every verb prints it with `-o json`. */
export function sweepJson(sweep: Sweep) {
  return {
    sweep: sweep.id,
    name: sweep.name,
    state: sweepState.of(sweep.state),
    reason: sweep.reason || null,
    trainer: sweep.trainer,
    metric: sweep.metric === undefined ? null : { name: sweep.metric.name, goal: goal.of(sweep.metric.goal) },
    trials: trialTotal(sweep),
    configs: sweep.configs,
    replicates: sweep.replicates,
    priority: sweep.priority,
    weight: sweep.weight,
    counts: sweep.counts ?? null,
    axes: sweep.axes,
    fingerprint: sweep.fingerprint,
    created_at: isoTime(sweep.createdAtMs),
    ended_at: isoTime(sweep.endedAtMs),
    seconds: secondsBetween(sweep.createdAtMs, sweep.endedAtMs),
  };
}
