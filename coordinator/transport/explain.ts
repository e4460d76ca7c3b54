/** What is told of a trial that somebody asks about: why it does not run, or what became of it. */
import type { ExplainTrialResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Attempt, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { failureClass, sweepState, trialState } from '../../proto/names.ts';
import type { Explanation } from '../core/explain.ts';
import type { Queries } from '../store/queries.ts';

/** @param live what the coordinator's memory says; undefined: nobody works on the store, or the trial does not wait */
export function explainTrial(
  queries: Queries,
  sweepId: string,
  trialId: string,
  live: Explanation | undefined,
): ExplainTrialResponse {
  const trial = queries.trial(sweepId, trialId);
  const attempts = queries.attempts(sweepId, trialId);
  const last = attempts.at(-1);
  const state = trialState.of(trial.state);
  if (state !== 'pending' && state !== 'offered') {
    const ended = trial.endedAtMs !== 0;
    const sinceMs = ended ? trial.endedAtMs : trial.startedAtMs;
    return { trial, sinceMs, reasons: [fate(trial, last)], agents: [] };
  }
  const { createdAtMs, state: ofSweep, reason } = queries.sweep(sweepId);
  const reasons = [...(live?.reasons ?? ['no coordinator is at work on it'])];
  if (sweepState.of(ofSweep) === 'paused' && reason !== '') reasons.push(`why it was paused: ${reason}`);
  if (last?.failure !== undefined) {
    const { class: named, message } = last.failure;
    reasons.push(`attempt ${last.number} failed on ${last.agentId}: ${failureClass.of(named)}: ${message}`);
  }
  return { trial, sinceMs: last?.endedAtMs || createdAtMs, reasons, agents: [...(live?.agents ?? [])] };
}

function fate(trial: Trial, last: Attempt | undefined): string {
  const where = last === undefined ? '' : ` attempt ${last.number} on agent ${last.agentId}, slot ${last.slot}`;
  switch (trialState.of(trial.state)) {
    case 'running':
      return `it runs:${where}, ${trial.epoch} epochs reported`;
    case 'succeeded':
      return `it succeeded:${where}`;
    case 'stopped':
      return `it was stopped early, by a rule:${where}`;
    case 'failed': {
      const { failure } = trial;
      const how = failure === undefined ? '' : ` ${failureClass.of(failure.class)}: ${failure.message};`;
      return `it failed:${how}${where}; its sweep's retry allows no more of these`;
    }
    default:
      return `it was cancelled with its sweep${where === '' ? ', before it ran' : `:${where}`}`;
  }
}
