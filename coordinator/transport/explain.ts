/** Explains why a trial waits. For a trial that does not wait, returns its state and its last attempt. */
import { currentAttempt } from '../../lib/domain/current-attempt.ts';
import type { ExplainTrialResponse, WaitReason } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { sweepState, trialState } from '../../proto/names.ts';
import type { Explanation } from '../core/explain.ts';
import type { Queries } from '../store/queries.ts';

/**
 * Returns the answer to an ExplainTrial call.
 * @param explanation the explanation from the core; undefined if no coordinator runs on the store, or if the trial is
 * neither pending nor offered
 */
export async function explainTrial(
  queries: Queries,
  sweepId: string,
  trialId: string,
  explanation: Explanation | undefined,
): Promise<ExplainTrialResponse> {
  const trial = await queries.trials.get(sweepId, trialId);
  const lastAttempt = currentAttempt(await queries.attempts.all(sweepId, trialId));
  const state = trialState.of(trial.state);
  if (state !== 'pending' && state !== 'offered') {
    return { trial, sinceMs: trial.endedAtMs || trial.startedAtMs, reasons: [], agents: [], lastAttempt };
  }
  const sweep = await queries.sweeps.get(sweepId);
  const paused: WaitReason = { reason: { $case: 'sweepPaused', sweepPaused: { reason: sweep.reason } } };
  const noCoordinator: WaitReason = { reason: { $case: 'noCoordinator', noCoordinator: {} } };
  const offline = sweepState.of(sweep.state) === 'paused' ? [noCoordinator, paused] : [noCoordinator];
  const reasons = explanation?.reasons.map((one) => (one.reason?.$case === 'sweepPaused' ? paused : one)) ?? offline;
  const agents = explanation?.agents ?? [];
  return { trial, sinceMs: lastAttempt?.endedAtMs || sweep.createdAtMs, reasons, agents, lastAttempt };
}
