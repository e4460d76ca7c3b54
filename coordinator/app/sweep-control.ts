/** Submits, controls and changes sweeps, and retries their trials. */
import { parseTrialSelector } from '../../lib/domain/selectors.ts';
import { BadInputError, RejectedError } from '../../proto/errors.ts';
import type { RetryTrialsRequest, SubmitRequest } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { MAX_PRIORITY } from '../../proto/limits.ts';
import { type FailureClassName, failureClass, trialState } from '../../proto/names.ts';
import type { CodeArchives } from '../artifacts/code-archives.ts';
import { MAX_POINTS_PER_PASS } from '../core/create-trials.ts';
import { forgetIfEnded } from '../core/ended-trials.ts';
import { isEnded } from '../core/model.ts';
import { onRetry, type RetryChoice } from '../core/retry-trials.ts';
import type { Step } from '../core/step.ts';
import { onKill, onKillTrial, onPause, onPriority, onResume, onStop, type TrialRequest } from '../core/sweeps.ts';
import { firstTrials, noTrials } from '../grid/enumerate.ts';
import { submittedPlan } from '../grid/plan.ts';
import { sweptParameters } from '../grid/spec.ts';
import { createdConfigs } from '../search/trial-source.ts';
import { warmStartWarning } from '../search/warm-start.ts';
import type { Queries } from '../store/queries.ts';
import type { StoredSweepFile } from '../store/store.ts';
import { sweepFingerprint } from '../sweepfile/fingerprint.ts';
import { parseSweep } from '../sweepfile/parse.ts';
import { submittedSource } from '../transport/code-service.ts';
import { checkLength } from '../transport/limits.ts';
import type { ControlRequest, Retried, SweepControl } from '../transport/sweep-service.ts';
import { applyVersion } from './apply-version.ts';
import type { Runtime } from './runtime.ts';
import { policyOf } from './sweep-policy.ts';
import { readWarmStart } from './warm-start.ts';

/** @param archives the stored code archives; if undefined, a submission with code is rejected */
export function sweepControl(runtime: Runtime, archives?: Pick<CodeArchives, 'holds'>): SweepControl {
  return {
    submit: (request, by) => runtime.exclusively(() => submit(runtime, archives, request, by)),
    act: (sweepId, request, by) => runtime.exclusively(() => act(runtime, sweepId, request, by)),
    killTrial: (sweepId, trialId, reason, by) =>
      runtime.exclusively(() => killTrial(runtime, { sweepId, trialId, reason }, by)),
    retry: (request, by) => runtime.exclusively(() => retry(runtime, request, by)),
    apply: (sweepId, request, by) => runtime.exclusively(() => applyVersion(runtime, sweepId, request, by)),
  };
}

async function act(runtime: Runtime, sweepId: string, request: ControlRequest, by: string): Promise<void> {
  checkLength('reason', request.reason);
  const state = await runtime.queries.sweeps.state(sweepId);
  if (isEnded(state)) throw new RejectedError(`sweep ${sweepId} has already ended (${state})`);
  await runtime.settle(stepFor(runtime, sweepId, request), by);
  runtime.reschedule();
}

async function killTrial(runtime: Runtime, request: TrialRequest, by: string): Promise<void> {
  checkLength('reason', request.reason);
  const { sweepId, trialId } = request;
  const state = trialState.of((await runtime.queries.trials.get(sweepId, trialId)).state);
  if (state === 'cancelled') return;
  if (state === 'succeeded' || state === 'stopped' || state === 'failed') {
    throw new RejectedError(`trial ${trialId} has already ended (${state})`);
  }
  await runtime.settle(onKillTrial(runtime.core, request, runtime.now()), by);
  runtime.reschedule();
}

/** Resolves once the retries are durable. A repeated request gets the same answer as the first request. */
async function retry(runtime: Runtime, request: RetryTrialsRequest, by: string): Promise<Retried> {
  if (request.requestId === '') throw new BadInputError('a retry must have a request_id');
  checkLength('request_id', request.requestId);
  const choice = choiceOf(request);
  const { store, core, queries } = runtime;
  const before = await queries.trials.retried(request.requestId);
  if (before !== undefined) return before;
  const sweepId = await sweepToRetry(queries, request);
  const chosen = await chosenTrials(queries, sweepId, choice);
  const sweep = core.sweeps.get(sweepId) ?? (await store.loadSweep(sweepId, runtime.now()));
  const restored = await store.loadTrials(sweep, chosen, runtime.now());
  let step: Step;
  try {
    const unfinishedSearch = await store.loadUnfinishedSearch(sweep, runtime.openSource);
    step = onRetry(core, { sweep, choice, requestId: request.requestId, unfinishedSearch });
  } finally {
    for (const trial of restored) forgetIfEnded(sweep, trial);
  }
  await runtime.settle(step, by);
  runtime.reschedule();
  return { sweepId, trials: step.changes.filter(({ kind }) => kind === 'retried').length };
}

/**
 * The maximum number of trials to load for one name. The error about an ambiguous name lists five trials; a sixth trial
 * shows that the list is not complete.
 */
const MAX_MATCHES = 6;

/** Returns the ids of the trials that a retry can select, including ended trials. */
async function chosenTrials(queries: Queries, sweepId: string, choice: RetryChoice): Promise<string[]> {
  if (!('trials' in choice)) return queries.trials.retryableIds(sweepId, choice);
  const chosen: string[] = [];
  for (const name of choice.trials) {
    if (name !== '') chosen.push(...(await queries.selectors.trialsWithPrefix(sweepId, name, MAX_MATCHES)));
  }
  return chosen;
}

/**
 * Returns the id of the sweep that the request or its trials name. If they name no sweep, returns the id of the sweep
 * that contains all requested trials.
 * @throws {BadInputError} if the trials belong to several sweeps
 */
async function sweepToRetry(queries: Queries, { sweep, trials }: RetryTrialsRequest): Promise<string> {
  const given = sweep === '' ? '' : await queries.selectors.findSweep(sweep);
  if (given !== '' && trials.every((selector) => parseTrialSelector(selector).sweep === undefined)) return given;
  const ids = new Set<string>();
  for (const selector of trials) ids.add((await queries.selectors.findTrial(given, selector)).sweepId);
  const [id = await queries.selectors.findSweep(given), other] = ids;
  if (other === undefined) return id;
  throw new BadInputError(`the trials belong to several sweeps (${[...ids].join(', ')}): retry them separately`);
}

function choiceOf({ trials, failed, failures, cancelled, sweep }: RetryTrialsRequest): RetryChoice {
  const byState = failed || failures.length > 0 || cancelled;
  if (byState === trials.length > 0) throw new BadInputError('a retry must select trials either by id or by state');
  if (!byState) return { trials: trials.map((selector) => parseTrialSelector(selector).trial) };
  if (sweep === '') throw new BadInputError('a retry by state must name the sweep');
  return { failures: failed ? 'all' : failures.map(classOf), cancelled };
}

function classOf(failure: RetryTrialsRequest['failures'][number]): FailureClassName {
  if (failure === 'FAILURE_CLASS_UNSPECIFIED')
    throw new BadInputError('a retry by failure must name the failure class');
  return failureClass.of(failure);
}

/** Submits a sweep and returns its id. The sweep is durable when the call returns. */
async function submit(
  runtime: Runtime,
  archives: Pick<CodeArchives, 'holds'> | undefined,
  request: SubmitRequest,
  by = '',
): Promise<string> {
  if (request.requestId === '') throw new BadInputError('a submission must have a request_id');
  checkLength('request_id', request.requestId);
  checkLength('file name', request.fileName);
  const spec = parseSweep(request.text, request.fileName);
  runtime.checkSampler(spec);
  const planned = submittedPlan(spec);
  const limit = { trials: runtime.core.creationWindow.trials, points: MAX_POINTS_PER_PASS };
  const { trials, state: searchState, done } = firstTrials(spec, limit);
  if (done ? trials.length === 0 : planned.trials === 0) throw noTrials(spec);
  const warmStart = await readWarmStart(runtime, spec);
  const source = await submittedSource(spec.code, request.source, archives);
  const policy = policyOf(spec, source?.archive, !done && planned.isBound);
  const sweep = {
    requestId: request.requestId,
    name: spec.name,
    fingerprint: sweepFingerprint(spec),
    fileName: request.fileName,
    text: request.text,
    trainer: spec.trainer,
    metric: spec.metric.name,
    goal: spec.metric.goal,
    axes: sweptParameters(spec),
    policy,
    priority: spec.priority,
    configs: done ? createdConfigs(searchState) : Number(planned.configs),
    replicates: planned.replicates,
    excluded: planned.excluded.reduce((sum, { count }) => sum + Number(count), 0),
    source,
    search: { planned: done ? trials.length : planned.trials, state: searchState, done },
    warmStart: warmStart && { results: warmStart.results, warning: warmStartWarning(warmStart, spec.metric.name) },
  };
  const id = await runtime.write(() => runtime.store.addSweep(sweep, trials, runtime.now(), by));
  const state = await runtime.queries.sweeps.state(id);
  if (!runtime.core.sweeps.has(id) && !isEnded(state)) {
    const parsed = { text: request.text, spec };
    const open = (stored: StoredSweepFile) => runtime.openSource(stored, parsed);
    runtime.addSweep(await runtime.store.loadSweep(id, runtime.now(), open));
  }
  return id;
}

function stepFor(runtime: Runtime, sweepId: string, { action, reason, priority }: ControlRequest) {
  switch (action) {
    case 'SWEEP_ACTION_PAUSE':
      return onPause(runtime.core, { sweepId, reason });
    case 'SWEEP_ACTION_RESUME':
      return onResume(runtime.core, { sweepId });
    case 'SWEEP_ACTION_STOP':
      return onStop(runtime.core, { sweepId, reason });
    case 'SWEEP_ACTION_KILL':
      return onKill(runtime.core, { sweepId, reason }, runtime.now());
    case 'SWEEP_ACTION_PRIORITIZE':
      if (!(Math.abs(priority) <= MAX_PRIORITY)) {
        throw new BadInputError(
          `invalid priority ${priority}: expected a whole number from ${-MAX_PRIORITY} to ${MAX_PRIORITY}`,
        );
      }
      return onPriority(runtime.core, { sweepId, priority }, runtime.now());
    default:
      throw new BadInputError('a control request must name an action');
  }
}
