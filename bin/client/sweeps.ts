/** Queries and changes sweeps and trials, for several verbs. */
import { randomUUID } from 'node:crypto';
import { BadInputError, NotFoundError, UnreachableError } from '../../proto/errors.ts';
import type {
  ApplySweepRequest,
  ApplySweepResponse,
  Curve,
  GetSourceResponse,
  ListConfigsRequest,
  ListTrialsRequest,
  ReadLogRequest,
  RetryTrialsRequest,
  SubmitRequest,
  SweepAction,
} from '../../proto/gen/trawl/v1/sweep_service.ts';
import { type Config, Goal, type Report, type Sweep, type Trial } from '../../proto/gen/trawl/v1/types.ts';
import { MAX_TRIAL_IDS } from '../../proto/limits.ts';
import { type PackedCode, uploadCode } from './code.ts';
import type { Connection } from './connect.ts';
import { LARGE_CHANGE_DEADLINE_MS, restartingStream, retryUnreachable, unary } from './rpc.ts';

/**
 * Returns a sweep and its sweep file.
 * @param version the version of the file. Default: the current version
 * @throws {NotFoundError}
 */
export async function getSweep(
  connection: Connection,
  selector: string,
  version = 0,
): Promise<{ sweep: Sweep; text: string }> {
  const { sweep, text } = await unary(connection, connection.client.getSweep, { sweep: selector, version });
  if (sweep === undefined) throw new NotFoundError(`there is no sweep ${selector}`);
  return { sweep, text };
}

/**
 * Returns the configs by rank, each aggregated over its replicates. By default, the ranking uses the metric of the
 * sweep.
 */
export async function listConfigs(
  connection: Connection,
  request: Partial<ListConfigsRequest> & { readonly sweep: string },
): Promise<Config[]> {
  const complete: ListConfigsRequest = { rankBy: '', goal: Goal.UNSPECIFIED, limit: 0, ...request };
  const configs: Config[] = [];
  const discard = () => {
    configs.length = 0;
  };
  for await (const batch of restartingStream(connection, connection.client.listConfigs, complete, discard)) {
    configs.push(...batch.configs);
  }
  return configs;
}

/** Returns the trials by rank. By default, the ranking uses the metric of the sweep. */
export async function listTrials(
  connection: Connection,
  request: Partial<ListTrialsRequest> & { readonly sweep: string },
): Promise<Trial[]> {
  const complete: ListTrialsRequest = {
    rankBy: '',
    goal: Goal.UNSPECIFIED,
    limit: 0,
    states: [],
    trialIds: [],
    ...request,
  };
  const trials: Trial[] = [];
  const discard = () => {
    trials.length = 0;
  };
  for await (const batch of restartingStream(connection, connection.client.listTrials, complete, discard)) {
    for (const trial of batch.trials) trials.push(trial);
  }
  return trials;
}

/** Returns the trials with the given ids, without ranks. */
export async function trialsById(connection: Connection, sweep: string, trialIds: readonly string[]): Promise<Trial[]> {
  const trials: Trial[] = [];
  for (let at = 0; at < trialIds.length; at += MAX_TRIAL_IDS) {
    trials.push(...(await listTrials(connection, { sweep, trialIds: trialIds.slice(at, at + MAX_TRIAL_IDS) })));
  }
  return trials;
}

/** Yields the reports of a trial in order of attempt and step. @param trial a selector, as in GetTrialRequest */
export async function* streamReports(
  connection: Connection,
  sweep: string,
  trial: string,
): AsyncGenerator<Report, void, void> {
  const request = { sweep, trial };
  let last: Report | undefined;
  for await (const { reports } of restartingStream(connection, connection.client.listReports, request, () => {})) {
    for (const report of reports) {
      // After a restart, the stream begins with the reports that were already yielded.
      if (last !== undefined && !isAfter(report, last)) continue;
      last = report;
      yield report;
    }
  }
}

/** The position in a log up to which the text has been received. */
export class LogPosition {
  #received = 0;
  #skip = 0;

  get hasText(): boolean {
    return this.#received > 0;
  }

  /** Must be called before the log is read again from its start. */
  restart(): void {
    this.#skip = this.#received;
  }

  /** Returns the part of a chunk that was not received before. */
  take(chunk: string): string {
    const fresh = chunk.slice(this.#skip);
    this.#skip = Math.max(0, this.#skip - chunk.length);
    this.#received += fresh.length;
    return fresh;
  }
}

/** Yields the log of an attempt in chunks, from `position` on. */
export async function* streamLog(
  connection: Connection,
  request: ReadLogRequest,
  position = new LogPosition(),
  signal?: AbortSignal,
): AsyncGenerator<string, void, void> {
  const restart = () => position.restart();
  restart();
  const chunks = restartingStream(connection, connection.client.readLog, request, restart, signal);
  for await (const { text } of chunks) {
    const fresh = position.take(text);
    if (fresh !== '') yield fresh;
  }
}

/**
 * Yields the curve of each trial, which contains its metrics by epoch. The trials have the same order as in the sweep.
 * Trials without a report are omitted. A long curve is yielded in several consecutive parts.
 * @param trialIds limits the result to these trials; an empty list means all trials
 */
export async function* streamCurves(
  connection: Connection,
  sweep: string,
  trialIds: readonly string[] = [],
): AsyncGenerator<Curve, void, void> {
  const request = { sweep, trialIds: [...trialIds] };
  let position: CurvePosition | undefined;
  // After a restart, the stream begins with the curves that were already yielded.
  let isSkipping = false;
  const onRestart = () => {
    isSkipping = position !== undefined;
  };
  for await (const { curves } of restartingStream(connection, connection.client.listCurves, request, onRestart)) {
    for (const curve of curves) {
      if (isSkipping && curve.trialId !== position?.trialId) continue;
      isSkipping = false;
      const fresh = position === undefined ? curve.reports : reportsAfter(position, curve);
      position = positionAfter(position, curve);
      if (fresh.length > 0) yield { ...curve, reports: fresh };
    }
  }
  if (isSkipping) {
    throw new UnreachableError(
      `the connection broke, and the curves cannot continue, because the sweep no longer has trial ${position?.trialId}; retry`,
    );
  }
}

/** The last report that was received from a stream of curves. */
interface CurvePosition {
  readonly trialId: string;
  readonly epoch: number;
}

function positionAfter(before: CurvePosition | undefined, { trialId, reports }: Curve): CurvePosition {
  const last = reports.at(-1)?.epoch ?? Number.NEGATIVE_INFINITY;
  return { trialId, epoch: before?.trialId === trialId ? Math.max(before.epoch, last) : last };
}

/** Returns the reports of `curve` that were not received before. The reports of a trial arrive in order of epoch. */
function reportsAfter({ trialId, epoch: last }: CurvePosition, curve: Curve): Report[] {
  return curve.trialId === trialId ? curve.reports.filter(({ epoch }) => epoch > last) : curve.reports;
}

/** Returns whether `report` comes after `before` in order of attempt and step. */
function isAfter(report: Report, before: Report): boolean {
  return report.attempt > before.attempt || (report.attempt === before.attempt && report.epoch > before.epoch);
}

/** The maximum number of curve values that a command keeps in memory. This many values take up to about 1 GB. */
const MAX_CURVE_VALUES = 10_000_000;

/** Counts the curve values that a command keeps in memory. */
class CurveBudget {
  readonly #max: number;
  #values = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** @throws {BadInputError} when the curves together have too many values */
  add(reports: readonly Report[]): void {
    for (const { metrics } of reports) this.#values += Object.keys(metrics).length;
    if (this.#values <= this.#max) return;
    throw new BadInputError(
      `the curves have more than ${this.#max.toLocaleString('en')} values, the most that this command keeps in memory; ` +
        '"trawl export -f csv --curves" writes curves of any size',
    );
  }
}

/**
 * Joins the parts of each curve.
 * @throws {BadInputError} when a curve has more values than `maxValues`
 */
export async function* wholeCurves(
  parts: AsyncIterable<Curve>,
  maxValues = MAX_CURVE_VALUES,
): AsyncGenerator<Curve, void, void> {
  let curve: Curve | undefined;
  let budget = new CurveBudget(maxValues);
  for await (const part of parts) {
    if (curve?.trialId !== part.trialId) budget = new CurveBudget(maxValues);
    budget.add(part.reports);
    if (curve?.trialId === part.trialId) {
      for (const report of part.reports) curve.reports.push(report);
      continue;
    }
    if (curve !== undefined) yield curve;
    curve = part;
  }
  if (curve !== undefined) yield curve;
}

/**
 * Returns the reports of {@link streamCurves} by trial id.
 * @throws {BadInputError} when all curves together have more than MAX_CURVE_VALUES values
 */
export async function listCurves(
  connection: Connection,
  sweep: string,
  trialIds: readonly string[] = [],
): Promise<Map<string, readonly Report[]>> {
  const curves = new Map<string, readonly Report[]>();
  const budget = new CurveBudget(MAX_CURVE_VALUES);
  for await (const { trialId, reports } of wholeCurves(streamCurves(connection, sweep, trialIds))) {
    budget.add(reports);
    curves.set(trialId, reports);
  }
  return curves;
}

/** Returns the code that was submitted with a sweep, if any, and the Python environments in which its trials ran. */
export function getSource(connection: Connection, sweep: string): Promise<GetSourceResponse> {
  return unary(connection, connection.client.getSource, { sweep });
}

/**
 * Submits a sweep, and retries if the coordinator is unreachable. The code of the sweep is uploaded first, so that
 * the sweep never names code that the coordinator does not have.
 * @param code the packed code; undefined if the sweep file has no `code`
 */
export async function submitSweep(
  connection: Connection,
  { text, fileName }: Pick<SubmitRequest, 'text' | 'fileName'>,
  code: PackedCode | undefined,
): Promise<Sweep> {
  if (code !== undefined) await uploadCode(connection, code);
  const request: SubmitRequest = { text, fileName, requestId: randomUUID(), source: code?.source };
  const { sweep } = await retryUnreachable(connection, () =>
    unary(connection, connection.client.submit, request, LARGE_CHANGE_DEADLINE_MS),
  );
  return present(sweep);
}

/** Pauses, resumes, stops, kills or prioritizes a sweep. Returns the sweep after the change. */
export async function controlSweep(
  connection: Connection,
  sweep: string,
  action: SweepAction,
  { reason = '', priority = 0 }: { readonly reason?: string | undefined; readonly priority?: number } = {},
): Promise<Sweep> {
  const request = { sweep, action, reason, priority };
  return present((await unary(connection, connection.client.controlSweep, request)).sweep);
}

/** Cancels one trial. If the trial is running, its attempts are ended. Returns the updated trial. */
export async function killTrial(connection: Connection, sweep: string, trial: string, reason = ''): Promise<Trial> {
  const response = await unary(connection, connection.client.killTrial, { sweep, trial, reason });
  if (response.trial === undefined) throw new Error('the response of the coordinator contains no trial');
  return response.trial;
}

/**
 * Retries the named trials, or the failed or cancelled trials of a sweep.
 * @returns the sweep after the change, and the number of trials that became pending
 */
export async function retryTrials(
  connection: Connection,
  selection: Partial<RetryTrialsRequest>,
): Promise<{ sweep: Sweep; retried: number }> {
  const none = { sweep: '', trials: [], failed: false, failures: [], cancelled: false };
  const request: RetryTrialsRequest = { ...none, ...selection, requestId: randomUUID() };
  const { sweep, retried } = await retryUnreachable(connection, () =>
    unary(connection, connection.client.retryTrials, request, LARGE_CHANGE_DEADLINE_MS),
  );
  return { sweep: present(sweep), retried };
}

function present(sweep: Sweep | undefined): Sweep {
  if (sweep === undefined) throw new Error('the response of the coordinator contains no sweep');
  return sweep;
}

/** Compares a sweep with an edited file and, unless `dryRun` is set, changes the sweep to the new version. */
export function applySweep(
  connection: Connection,
  request: Omit<ApplySweepRequest, 'dryRun' | 'baseVersion'> & Partial<ApplySweepRequest>,
): Promise<ApplySweepResponse> {
  const complete: ApplySweepRequest = { dryRun: false, baseVersion: 0, ...request };
  return unary(connection, connection.client.applySweep, complete, LARGE_CHANGE_DEADLINE_MS);
}
