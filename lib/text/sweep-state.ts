/** Formats the state of a sweep for tables and the dashboard. */
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { trialTotal } from '../domain/trial-state.ts';
import { formatSpan } from './duration.ts';

/**
 * Returns the state with its details: the user who paused, stopped or killed the sweep, how long ago this happened, and
 * the number of failed or cancelled trials. Examples: `running`, `paused by ann@gpu-1, 2m03s ago`, `finished, 36 of 63
 * failed`.
 */
export function sweepStateText(sweep: Sweep, now: number): string {
  const state = sweepState.of(sweep.state);
  if (state === 'running' || state === 'interrupted') {
    return sweep.blocked === '' ? state : `${state}, but nothing can run: ${sweep.blocked}`;
  }
  const by = sweep.stateBy === '' ? '' : ` by ${sweep.stateBy}`;
  const byAndWhen = `${state}${by}, ${formatSpan(Math.max(0, now - sweep.stateSinceMs))} ago`;
  if (state === 'paused' || state === 'stopping') return byAndWhen;
  const { failed = 0, cancelled = 0 } = sweep.counts ?? {};
  const shares = [
    ...(failed > 0 ? [`${failed} of ${trialTotal(sweep)} failed`] : []),
    ...(cancelled > 0 ? [`${cancelled} of ${trialTotal(sweep)} cancelled`] : []),
  ];
  return [state === 'finished' ? state : byAndWhen, ...shares].join(', ');
}
