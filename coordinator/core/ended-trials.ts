/**
 * Removes ended trials from memory, so that memory grows with the number of live trials and not with the history of a
 * sweep. The store keeps the ended trials. A trial that a user retries is loaded from the store.
 */
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { forgetCurve } from './early-stopping.ts';
import type { Core, Sweep } from './model.ts';
import type { Change } from './step.ts';
import { isFinal, type Trial } from './trial-model.ts';
import { isWaiting } from './trials.ts';
import { forgetTrial } from './warnings.ts';

/**
 * Removes from memory the trials that a step has ended. The caller must call this function when the step is complete.
 */
export function forgetEndedTrials(core: Core, changes: readonly Change[]): void {
  for (const change of changes) {
    if (change.kind !== 'trial' || !isFinal(change.state)) continue;
    const sweep = core.sweeps.get(change.sweepId);
    const trial = sweep?.trials.get(change.trialId);
    if (sweep !== undefined && trial !== undefined) forgetIfEnded(sweep, trial);
  }
}

/** Removes a trial from memory if it has ended. */
export function forgetIfEnded(sweep: Sweep, trial: Trial): void {
  if (!isFinal(trial.state)) return;
  sweep.trials.delete(trial.id);
  forgetCurve(sweep, trial);
  forgetTrial(sweep, trial);
  discardPackable(sweep, trial);
}

/** Returns the error message about a trial that is not in memory. */
export function notLive({ sweepId, trialId }: AttemptKey): string {
  return `trial ${trialId} of sweep ${sweepId} has ended or does not exist`;
}

/**
 * Discards trials from the head of the queue for the trial's pack key, up to the first trial that is still pending or
 * offered. Agents that train no packs never take trials from these queues, so the queues would otherwise keep every
 * ended trial.
 */
function discardPackable({ packable }: Sweep, { packKey }: Trial): void {
  const queue = packKey === undefined ? undefined : packable.get(packKey);
  if (packKey === undefined || queue === undefined) return;
  for (let next = queue.peek(); next !== undefined && !isWaiting(next); next = queue.peek()) queue.pop();
  if (queue.length === 0) packable.delete(packKey);
}
