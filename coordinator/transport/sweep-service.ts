/** Implements the SweepService, which submits, controls, lists and watches sweeps. */

import type { Logger } from 'pino';
import { configsOf, rankConfigs } from '../../lib/domain/configs.ts';
import { currentAttempt } from '../../lib/domain/current-attempt.ts';
import { goalOf, rankingMetric, rankTrials } from '../../lib/domain/ranking.ts';
import { BadInputError, NotFoundError } from '../../proto/errors.ts';
import type {
  ControlSweepRequest,
  ListConfigsRequest,
  ListConfigsResponse,
  ListCurvesRequest,
  ListCurvesResponse,
  ListTrialsRequest,
  ListTrialsResponse,
  ReadLogRequest,
  ReadLogResponse,
  RetryTrialsRequest,
  SubmitRequest,
  SweepAction,
  SweepServiceServer,
} from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { MAX_TRIAL_IDS } from '../../proto/limits.ts';
import { type GoalName, goal } from '../../proto/names.ts';
import { curveOf } from '../analysis/curve.ts';
import type { Explanation } from '../core/explain.ts';
import type { Queries } from '../store/queries.ts';
import { explainTrial } from './explain.ts';
import { streamHandler, unaryHandler } from './handlers.ts';
import { AgentRoster, TRIALS_PER_MESSAGE, type WatchSource, watchMessages } from './watch.ts';

const LOG_POLL_MS = 250;
/** Python environments in one answer. Each has up to 64 KiB. */
const MAX_ENVIRONMENTS = 100;

/** Changes to sweeps. Rejected when the store is served without a coordinator. */
export interface SweepControl {
  submit(request: SubmitRequest): Promise<string>;
  /** Controls a sweep. @param priority the new priority, for SWEEP_ACTION_PRIORITIZE only */
  act(sweepId: string, action: SweepAction, reason: string, priority: number): Promise<void>;
  /** Cancels a trial that has not ended. Does nothing if it is already cancelled. */
  killTrial(sweepId: string, trialId: string, reason: string): Promise<void>;
  retry(request: RetryTrialsRequest): Promise<Retried>;
}

export interface Retried {
  readonly sweepId: string;
  readonly trials: number;
}

export interface SweepSource extends WatchSource {
  /** Returns undefined if the trial is not pending, or no coordinator runs on the store. */
  explain(sweepId: string, trialId: string): Explanation | undefined;
}

export function sweepService(source: SweepSource, control: SweepControl, log: Logger): SweepServiceServer {
  const { queries } = source;
  const roster = new AgentRoster(source.agents);
  return {
    submit: unaryHandler(log, async (request) => ({ sweep: queries.sweep(await control.submit(request)) })),
    listSweeps: unaryHandler(log, () => ({ sweeps: queries.sweeps() })),
    getSweep: unaryHandler(log, (request) => {
      const id = queries.findSweep(request.sweep);
      return { sweep: queries.sweep(id), text: queries.sweepText(id) };
    }),
    getSource: unaryHandler(log, (request) => {
      const id = queries.findSweep(request.sweep);
      return { source: queries.source(id), environments: queries.environments(id, MAX_ENVIRONMENTS) };
    }),
    controlSweep: unaryHandler(log, async (request: ControlSweepRequest) => {
      const id = queries.findSweep(request.sweep);
      await control.act(id, request.action, request.reason, request.priority);
      return { sweep: queries.sweep(id) };
    }),
    killTrial: unaryHandler(log, async (request) => {
      const { sweepId, trialId } = queries.findTrial(request.sweep, request.trial);
      await control.killTrial(sweepId, trialId, request.reason);
      return { trial: queries.trial(sweepId, trialId) };
    }),
    retryTrials: unaryHandler(log, async (request) => {
      const { sweepId, trials } = await control.retry(request);
      return { sweep: queries.sweep(sweepId), retried: trials };
    }),
    listTrials: streamHandler(log, (request) => listTrials(queries, request)),
    listConfigs: streamHandler(log, (request) => listConfigs(queries, request)),
    listCurves: streamHandler(log, (request) => listCurves(queries, request)),
    getTrial: unaryHandler(log, (request) => {
      const { sweepId, trialId } = queries.findTrial(request.sweep, request.trial);
      return {
        trial: queries.trial(sweepId, trialId),
        attempts: queries.attempts(sweepId, trialId),
        reports: queries.reports(sweepId, trialId),
        artifacts: queries.artifacts(sweepId, trialId).map(({ artifact }) => artifact),
        programs: queries.programs(sweepId, trialId),
      };
    }),
    watch: streamHandler(log, (request, signal) =>
      watchMessages(source, roster, queries.findSweep(request.sweep), request.sinceEventSeq, signal),
    ),
    readLog: streamHandler(log, (request, signal) => readLog(queries, request, signal)),
    explainTrial: unaryHandler(log, (request) => {
      const { sweepId, trialId } = queries.findTrial(request.sweep, request.trial);
      return explainTrial(queries, sweepId, trialId, source.explain(sweepId, trialId));
    }),
    listAgents: unaryHandler(log, () => ({ agents: source.agents() })),
  };
}

async function* listTrials(queries: Queries, request: ListTrialsRequest): AsyncGenerator<ListTrialsResponse> {
  const { trialIds } = request;
  if (trialIds.length > MAX_TRIAL_IDS) {
    throw new BadInputError(`too many trial_ids: ${trialIds.length} (max ${MAX_TRIAL_IDS})`);
  }
  const sweep = queries.sweep(queries.findSweep(request.sweep));
  if (trialIds.length > 0) {
    for (const id of trialIds) yield { trials: [queries.trial(sweep.id, id)] };
    return;
  }
  const ranked = rankedIds(queries, sweep, request);
  for (let at = 0; at < ranked.length; at += TRIALS_PER_MESSAGE) {
    const part = ranked.slice(at, at + TRIALS_PER_MESSAGE);
    yield { trials: part.map(({ id, rank }) => ({ ...queries.trial(sweep.id, id), rank })) };
  }
}

/** Returns ids with their ranks, not rows, because the rows of a large sweep must not stay in memory while the client reads. */
function rankedIds(queries: Queries, sweep: Sweep, request: ListTrialsRequest): Pick<Trial, 'id' | 'rank'>[] {
  const trials = queries.trials(sweep.id);
  const metric = request.rankBy || rankingMetric(sweep.metric?.name, trials);
  if (request.rankBy !== '') mustBeReported(metric, trials);
  const ranked = rankTrials(trials, metric, rankingGoal(sweep, metric, request.goal));
  const states = new Set(request.states);
  return ranked
    .filter(({ state }) => states.size === 0 || states.has(state))
    .slice(0, request.limit === 0 ? undefined : request.limit)
    .map(({ id, rank }) => ({ id, rank }));
}

async function* listConfigs(queries: Queries, request: ListConfigsRequest): AsyncGenerator<ListConfigsResponse> {
  const sweep = queries.sweep(queries.findSweep(request.sweep));
  const trials = queries.trials(sweep.id);
  const metric = request.rankBy || rankingMetric(sweep.metric?.name, trials);
  if (request.rankBy !== '') mustBeReported(metric, trials);
  const ranked = rankConfigs(configsOf(trials), metric, rankingGoal(sweep, metric, request.goal));
  const rows = ranked.slice(0, request.limit === 0 ? undefined : request.limit);
  for (let at = 0; at < rows.length; at += TRIALS_PER_MESSAGE) {
    yield { configs: rows.slice(at, at + TRIALS_PER_MESSAGE) };
  }
}

async function* listCurves(queries: Queries, request: ListCurvesRequest): AsyncGenerator<ListCurvesResponse> {
  const sweepId = queries.findSweep(request.sweep);
  const ids = request.trialIds.length > 0 ? request.trialIds : queries.trialIds(sweepId);
  for (const id of ids) {
    const attempts = queries.attempts(sweepId, id);
    const resumed = new Map(attempts.map(({ number, resumedFrom }) => [number, resumedFrom]));
    const curve = curveOf(queries.reports(sweepId, id), resumed);
    if (curve.length > 0) yield { curves: [{ trialId: id, reports: [...curve] }] };
  }
}

function rankingGoal(sweep: Sweep, metric: string, asked: ListTrialsRequest['goal']): GoalName {
  return asked === 'GOAL_MINIMIZE' || asked === 'GOAL_MAXIMIZE' ? goal.of(asked) : goalOf(sweep, metric);
}

function mustBeReported(metric: string, trials: readonly { metrics: Record<string, number> }[]): void {
  const reported = new Set(trials.flatMap((trial) => Object.keys(trial.metrics)));
  if (reported.size === 0 || reported.has(metric)) return;
  throw new BadInputError(
    `no trial reports ${JSON.stringify(metric)}; reported metrics: ${[...reported].sort().join(', ')}`,
  );
}

async function* readLog(
  queries: Queries,
  request: ReadLogRequest,
  signal: AbortSignal,
): AsyncGenerator<ReadLogResponse> {
  const { sweepId, trialId } = queries.findTrial(request.sweep, request.trial);
  const attempts = queries.attempts(sweepId, trialId);
  const number = request.attempt || (currentAttempt(attempts)?.number ?? 0);
  if (number === 0) throw new NotFoundError(`trial ${trialId} has no log: it has not run yet`);
  if (!attempts.some((attempt) => attempt.number === number)) {
    throw new NotFoundError(`trial ${trialId} has attempts 1 to ${attempts.length}, not ${number}`);
  }
  let seq = 0;
  while (!signal.aborted) {
    // The state must be read before the log. Otherwise, the last records could be missed.
    const ended = queries.attempts(sweepId, trialId).find((attempt) => attempt.number === number)?.endedAtMs !== 0;
    for (let rows = queries.log(sweepId, trialId, number, seq); rows.length > 0; ) {
      for (const row of rows) {
        seq = row.seq;
        yield { text: row.text };
      }
      rows = queries.log(sweepId, trialId, number, seq);
    }
    if (ended || !request.follow) return;
    await new Promise((resolve) => setTimeout(resolve, LOG_POLL_MS));
  }
}
