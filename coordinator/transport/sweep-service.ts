/** Implements the SweepService, which submits, controls, lists and watches sweeps. */

import type { Logger } from 'pino';
import { configsOf, rankConfigs, rankConfigsByObjectives } from '../../lib/domain/configs.ts';
import { currentAttempt } from '../../lib/domain/current-attempt.ts';
import { ownValue } from '../../lib/domain/own-value.ts';
import { goalOf, rank, rankingMetric } from '../../lib/domain/ranking.ts';
import { trialValue } from '../../lib/domain/trial-result.ts';
import { BadInputError, NotFoundError } from '../../proto/errors.ts';
import type { AttemptKey } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type {
  ApplySweepRequest,
  ControlSweepRequest,
  ListConfigsRequest,
  ListConfigsResponse,
  ListCurvesRequest,
  ListCurvesResponse,
  ListReportsRequest,
  ListReportsResponse,
  ListTrialsRequest,
  ListTrialsResponse,
  ReadLogRequest,
  ReadLogResponse,
  RetryTrialsRequest,
  SubmitRequest,
  SweepServiceServer,
  VersionChanges,
} from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Config, Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { MAX_TRIAL_IDS } from '../../proto/limits.ts';
import { type GoalName, goal } from '../../proto/names.ts';
import { userOf } from '../auth/user.ts';
import type { Explanation } from '../core/explain.ts';
import type { Queries } from '../store/queries.ts';
import { trialCurve, trialReports } from '../store/report-stream.ts';
import { type AttemptStart, withStarts } from './attempt-starts.ts';
import { type BestRequest, bestConfigs, bestTrials } from './best.ts';
import { explainTrial } from './explain.ts';
import { nextTurn, streamHandler, unaryHandler } from './handlers.ts';
import { indicesByObjectives, type RankedIndices, requestedObjectives } from './objectives.ts';
import {
  configBytes,
  pagesOf,
  REPORTS_PER_MESSAGE,
  ROWS_PER_MESSAGE,
  reportBytes,
  TRIALS_PER_READ,
  trialBytes,
} from './pages.ts';
import { RungReader } from './rung-reader.ts';
import { AgentListCache, type WatchSource, watchMessages } from './watch.ts';

const LOG_POLL_MS = 250;
/** The maximum number of artifacts in the answer to GetTrial. The ArtifactService lists all artifacts. */
const MAX_SHOWN_ARTIFACTS = 10_000;
/** The maximum number of Python environments in one answer. Each environment has up to 64 KiB. */
const MAX_ENVIRONMENTS = 100;

/**
 * Changes sweeps. If the store is served without a coordinator, only `retry` and `apply` are possible, and the other
 * methods reject their calls.
 */
export interface SweepControl {
  /** Submits a sweep, and returns its id. `by` is the user who submits the sweep; default: unknown. */
  submit(request: SubmitRequest, by?: string): Promise<string>;
  /**
   * Pauses, resumes, stops or kills a sweep, or changes its priority. `by` is the user who requested the change; may be
   * empty.
   */
  act(sweepId: string, request: ControlRequest, by: string): Promise<void>;
  /** Cancels a trial if it has not ended. Nothing changes if the trial is already cancelled. */
  killTrial(sweepId: string, trialId: string, reason: string, by: string): Promise<void>;
  retry(request: RetryTrialsRequest, by: string): Promise<Retried>;
  /** Changes a sweep to a new version of its file, or only compares the versions. */
  apply(sweepId: string, request: ApplySweepRequest, by: string): Promise<VersionChanges>;
}

export type ControlRequest = Pick<ControlSweepRequest, 'action' | 'reason' | 'priority'>;

export interface Retried {
  readonly sweepId: string;
  readonly trials: number;
}

export interface SweepSource extends WatchSource {
  /**
   * Explains why a trial is pending or offered. Undefined if the trial is neither, or if no coordinator runs on the
   * store.
   */
  explain(sweepId: string, trialId: string): Explanation | undefined;
  /**
   * Returns the start time of an attempt that has not ended, or `queued` if the attempt has not started. Undefined if
   * the start is unknown.
   */
  startOf(key: AttemptKey): AttemptStart | undefined;
}

export function sweepService(source: SweepSource, control: SweepControl, log: Logger): SweepServiceServer {
  const { queries } = source;
  const agentList = new AgentListCache(source.agents);
  const rungs = new RungReader(queries);
  return {
    submit: unaryHandler(log, async (request, call) => ({
      sweep: await queries.sweeps.get(await control.submit(request, userOf(call))),
    })),
    applySweep: unaryHandler(log, async (request, call) => {
      const id = await queries.selectors.findSweep(request.sweep);
      const changes = await control.apply(id, request, userOf(call));
      return { sweep: await queries.sweeps.get(id), changes };
    }),
    listSweeps: unaryHandler(log, async () => ({ sweeps: await queries.sweeps.all() })),
    getSweep: unaryHandler(log, async (request) => {
      const id = await queries.selectors.findSweep(request.sweep);
      const { version } = request;
      const text = await (version === 0 ? queries.sweeps.text(id) : queries.sweeps.versionText(id, version));
      return { sweep: await queries.sweeps.get(id), text };
    }),
    getSource: unaryHandler(log, async (request) => {
      const id = await queries.selectors.findSweep(request.sweep);
      const environments = await queries.sweeps.environments(id, MAX_ENVIRONMENTS);
      return { source: await queries.sweeps.source(id), environments };
    }),
    controlSweep: unaryHandler(log, async (request: ControlSweepRequest, call) => {
      const id = await queries.selectors.findSweep(request.sweep);
      await control.act(id, request, userOf(call));
      return { sweep: await queries.sweeps.get(id) };
    }),
    killTrial: unaryHandler(log, async (request, call) => {
      const { sweepId, trialId } = await queries.selectors.findTrial(request.sweep, request.trial);
      await control.killTrial(sweepId, trialId, request.reason, userOf(call));
      return { trial: await queries.trials.get(sweepId, trialId) };
    }),
    retryTrials: unaryHandler(log, async (request, call) => {
      const { sweepId, trials } = await control.retry(request, userOf(call));
      return { sweep: await queries.sweeps.get(sweepId), retried: trials };
    }),
    listTrials: streamHandler(log, (request, signal) => listTrials(queries, request, signal)),
    listConfigs: streamHandler(log, (request, signal) => listConfigs(queries, request, signal)),
    listCurves: streamHandler(log, (request, signal) => listCurves(queries, request, signal)),
    getTrial: unaryHandler(log, async (request) => {
      const { sweepId, trialId } = await queries.selectors.findTrial(request.sweep, request.trial);
      const artifacts = await queries.artifacts.page(sweepId, trialId, { limit: MAX_SHOWN_ARTIFACTS });
      const attempts = await queries.attempts.all(sweepId, trialId);
      const trial = await queries.trials.get(sweepId, trialId);
      return {
        trial,
        attempts: withStarts(attempts, trial, source.startOf),
        artifacts: artifacts.map(({ artifact }) => artifact),
        programs: await queries.attempts.programs(sweepId, trialId),
        rungs: await queries.attempts.rungs(sweepId, trialId),
      };
    }),
    listRungs: unaryHandler(log, async (request) => rungs.of(await queries.selectors.findSweep(request.sweep))),
    listReports: streamHandler(log, (request, signal) => listReports(queries, request, signal)),
    watch: streamHandler(log, async function* ({ sweep, sinceEventSeq }, signal) {
      yield* watchMessages(source, agentList, await queries.selectors.findSweep(sweep), sinceEventSeq, signal);
    }),
    readLog: streamHandler(log, (request, signal) => readLog(queries, request, signal)),
    explainTrial: unaryHandler(log, async (request) => {
      const { sweepId, trialId } = await queries.selectors.findTrial(request.sweep, request.trial);
      return explainTrial(queries, sweepId, trialId, source.explain(sweepId, trialId));
    }),
    listAgents: unaryHandler(log, () => ({ agents: source.agents() })),
  };
}

async function* listTrials(
  queries: Queries,
  request: ListTrialsRequest,
  signal: AbortSignal,
): AsyncGenerator<ListTrialsResponse> {
  const { trialIds } = request;
  if (trialIds.length > MAX_TRIAL_IDS) {
    throw new BadInputError(`too many trial_ids: ${trialIds.length} (max ${MAX_TRIAL_IDS})`);
  }
  const sweep = await queries.sweeps.get(await queries.selectors.findSweep(request.sweep));
  if (trialIds.length > 0) {
    for (const id of trialIds) yield { trials: [await queries.trials.get(sweep.id, id)] };
    return;
  }
  const objectives = requestedObjectives(sweep, request);
  if (objectives.length > 0) {
    const read = (after: number) => queries.trials.resultsAfter(sweep.id, after, ROWS_PER_MESSAGE);
    const ranked = await indicesByObjectives(pages(read, signal), objectives, request);
    for await (const trials of pagesOf(rankedTrials(queries, sweep.id, ranked), trialBytes)) yield { trials };
    return;
  }
  const best = request.states.length > 0 ? undefined : bestRequest(sweep, request);
  const found = best && (await bestTrials(queries, sweep, best));
  const { indices, places } = found
    ? { indices: Uint32Array.from(found, ([index]) => index), places: Uint32Array.from(found, ([, place]) => place) }
    : await rankedIndices(queries, sweep, request, signal);
  for await (const trials of pagesOf(rankedTrials(queries, sweep.id, { indices, places }), trialBytes))
    yield { trials };
}

async function* rankedTrials(
  queries: Queries,
  sweepId: string,
  { indices, places, fronts }: RankedIndices,
): AsyncGenerator<Trial, void, void> {
  for (let at = 0; at < indices.length; at += TRIALS_PER_READ) {
    const read = [...indices.subarray(at, at + TRIALS_PER_READ)];
    const trials = new Map((await queries.trials.byIndices(sweepId, read)).map((trial) => [trial.index, trial]));
    for (const [offset, index] of read.entries()) {
      const trial = trials.get(index);
      if (trial === undefined) continue;
      yield { ...trial, rank: places[at + offset] ?? 0, front: fronts?.[at + offset] || undefined };
    }
  }
}

/** Yields the pages that `read` returns, one after another. Other calls run between two pages. */
async function* pages<Row extends Pick<Trial, 'index'>>(
  read: (afterIndex: number) => Promise<Row[]>,
  signal: AbortSignal,
): AsyncGenerator<Row[]> {
  let page = await read(-1);
  while (page.length > 0 && !signal.aborted) {
    yield page;
    await nextTurn();
    page = await read(page.at(-1)?.index ?? 0);
  }
}

/**
 * Ranks a sweep's trials. Keeps only the index and the metric value of each trial, because the full rows of a large
 * sweep would need too much memory.
 */
async function rankedIndices(
  queries: Queries,
  sweep: Sweep,
  { rankBy, goal: asked, states, limit }: ListTrialsRequest,
  signal: AbortSignal,
): Promise<RankedIndices> {
  const wanted = new Set(states);
  const reported = new Set<string>();
  const indices: number[] = [];
  /** The list contains NaN for a trial without a value. */
  const values: number[] = [];
  const unwanted = new Set<number>();
  let metric = rankingMetric(rankBy || sweep.metric?.name, []);
  const read = (after: number) => queries.trials.resultsAfter(sweep.id, after, ROWS_PER_MESSAGE);
  for await (const page of pages(read, signal)) {
    metric = rankingMetric(metric, page);
    for (const trial of page) {
      for (const name of Object.keys(trial.metrics)) reported.add(name);
      indices.push(trial.index);
      values.push(trialValue(trial, metric) ?? Number.NaN);
      if (wanted.size > 0 && !wanted.has(trial.state)) unwanted.add(trial.index);
    }
  }
  if (rankBy !== '') mustBeReported(metric, reported);
  const items = indices.map((index, at) => ({ index, value: values[at] }));
  const ranked = rank(items, ({ value }) => value, rankingGoal(sweep, metric, asked))
    .filter(([{ index }]) => !unwanted.has(index))
    .slice(0, limit === 0 ? undefined : limit);
  return {
    indices: Uint32Array.from(ranked, ([{ index }]) => index),
    places: Uint32Array.from(ranked, ([, place]) => place),
  };
}

/**
 * The ranking of configs that was requested last. The next ranking waits until this ranking has ended, because each
 * ranking holds a part of every row of its sweep in memory.
 */
let lastRanking: Promise<unknown> = Promise.resolve();

async function* listConfigs(
  queries: Queries,
  request: ListConfigsRequest,
  signal: AbortSignal,
): AsyncGenerator<ListConfigsResponse> {
  const sweep = await queries.sweeps.get(await queries.selectors.findSweep(request.sweep));
  const best = bestRequest(sweep, request);
  const found = best && (await bestConfigs(queries, sweep, best));
  if (found !== undefined) {
    for await (const configs of pagesOf(found, configBytes)) yield { configs };
    return;
  }
  const computed = lastRanking.then(() => rankedConfigs(queries, sweep, request, signal));
  lastRanking = computed.catch(() => {});
  const ranked = await computed;
  for await (const configs of pagesOf(wholeConfigs(queries, sweep.id, ranked), configBytes)) yield { configs };
}

/**
 * Converts the client's request to a request for only the best configs by the sweep's own metric. Undefined if the
 * client requests all configs, or a different ranking.
 */
function bestRequest(
  sweep: Sweep,
  { rankBy, goal: asked, limit }: Pick<ListConfigsRequest, 'rankBy' | 'goal' | 'limit'>,
): BestRequest | undefined {
  const metric = sweep.metric?.name ?? '';
  if (rankBy === '' && sweep.objectives.length > 0) return undefined;
  if (limit === 0 || metric === '' || (rankBy !== '' && rankBy !== metric)) return undefined;
  return { metric, goal: rankingGoal(sweep, metric, asked), limit };
}

/** The indices of a config's trials, and the config's place in the ranking. */
interface RankedConfig {
  readonly indices: Uint32Array;
  readonly rank: number;
  readonly front: number | undefined;
}

/**
 * Ranks a sweep's configs. To save memory, drops the parameters of each trial, and all metrics except those that
 * determine the ranking.
 */
async function rankedConfigs(
  queries: Queries,
  sweep: Sweep,
  request: ListConfigsRequest,
  signal: AbortSignal,
): Promise<RankedConfig[]> {
  const objectives = requestedObjectives(sweep, request);
  const trials: Trial[] = [];
  const reported = new Set<string>();
  let metric = rankingMetric(request.rankBy || sweep.metric?.name, []);
  const read = async (after: number) => (await queries.trials.after(sweep.id, after, ROWS_PER_MESSAGE)).trials;
  for await (const page of pages(read, signal)) {
    metric = rankingMetric(metric, page);
    for (const trial of page) {
      if (request.rankBy !== '') for (const name of Object.keys(trial.metrics)) reported.add(name);
      const names = objectives.length > 0 ? objectives.map(({ name }) => name) : [metric];
      const metrics = Object.fromEntries(
        names.flatMap((name): [string, number][] => {
          const value = ownValue(trial.metrics, name);
          return value === undefined ? [] : [[name, value]];
        }),
      );
      trials.push({ ...trial, parameters: {}, metrics, metricSteps: {} });
    }
  }
  if (signal.aborted) return [];
  if (request.rankBy !== '') mustBeReported(metric, reported);
  const indexOf = new Map(trials.map(({ id, index }) => [id, index]));
  const configs = configsOf(trials);
  const ranked =
    objectives.length > 0
      ? rankConfigsByObjectives(configs, objectives)
      : rankConfigs(configs, metric, rankingGoal(sweep, metric, request.goal));
  return ranked.slice(0, request.limit === 0 ? undefined : request.limit).map(({ trialIds, rank: place, front }) => ({
    indices: Uint32Array.from(trialIds, (id) => indexOf.get(id) ?? 0),
    rank: place,
    front,
  }));
}

/** Yields the ranked configs with all their data. The trials of each config are read when the config is requested. */
async function* wholeConfigs(
  queries: Queries,
  sweepId: string,
  ranked: readonly RankedConfig[],
): AsyncGenerator<Config, void, void> {
  for (const { indices, rank: place, front } of ranked) {
    const trials = (await queries.trials.byIndices(sweepId, [...indices])).sort((a, b) => a.index - b.index);
    for (const config of configsOf(trials)) yield { ...config, rank: place, front };
  }
}

async function* listReports(
  queries: Queries,
  request: ListReportsRequest,
  signal: AbortSignal,
): AsyncGenerator<ListReportsResponse> {
  const { sweepId, trialId } = await queries.selectors.findTrial(request.sweep, request.trial);
  for await (const reports of pagesOf(trialReports(queries, sweepId, trialId), reportBytes, REPORTS_PER_MESSAGE)) {
    if (signal.aborted) return;
    yield { reports };
  }
}

async function* listCurves(
  queries: Queries,
  request: ListCurvesRequest,
  signal: AbortSignal,
): AsyncGenerator<ListCurvesResponse> {
  const sweepId = await queries.selectors.findSweep(request.sweep);
  const ids = request.trialIds.length > 0 ? request.trialIds : await queries.trials.ids(sweepId);
  for (const trialId of ids) {
    for await (const reports of pagesOf(trialCurve(queries, sweepId, trialId), reportBytes, REPORTS_PER_MESSAGE)) {
      if (signal.aborted) return;
      yield { curves: [{ trialId, reports }] };
    }
  }
}

function rankingGoal(sweep: Sweep, metric: string, asked: ListTrialsRequest['goal']): GoalName {
  return asked === 'GOAL_MINIMIZE' || asked === 'GOAL_MAXIMIZE' ? goal.of(asked) : goalOf(sweep, metric);
}

function mustBeReported(metric: string, reported: ReadonlySet<string>): void {
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
  const { sweepId, trialId } = await queries.selectors.findTrial(request.sweep, request.trial);
  const attempts = await queries.attempts.all(sweepId, trialId);
  const number = request.attempt || (currentAttempt(attempts)?.number ?? 0);
  if (number === 0) throw new NotFoundError(`trial ${trialId} has no log: it has not run yet`);
  if (!attempts.some((attempt) => attempt.number === number)) {
    throw new NotFoundError(`trial ${trialId} has attempts 1 to ${attempts.length}, not ${number}`);
  }
  let seq = 0;
  while (!signal.aborted) {
    // The state of the attempt must be read before the log. Otherwise, the last log records could be missed.
    const newest = await queries.attempts.all(sweepId, trialId);
    const ended = newest.find((attempt) => attempt.number === number)?.endedAtMs !== 0;
    for (let rows = await queries.attempts.log(sweepId, trialId, number, seq); rows.length > 0; ) {
      for (const row of rows) {
        seq = row.seq;
        yield { text: row.text };
      }
      rows = await queries.attempts.log(sweepId, trialId, number, seq);
    }
    if (ended || !request.follow) return;
    await new Promise((resolve) => setTimeout(resolve, LOG_POLL_MS));
  }
}
