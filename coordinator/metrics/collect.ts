/**
 * Updates the coordinator's Prometheus metrics. Events are counted after each commit. Gauges that show the present
 * state, and the GPU time, are updated at each scrape.
 */

import { clearTimeout, setTimeout } from 'node:timers';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import type { Runtime } from '../app/runtime.ts';
import { now } from '../app/runtime.ts';
import { REJECTION_REASONS } from '../auth/rejections.ts';
import { type Core, isEnded, type Sweep } from '../core/model.ts';
import { livePools, openOffers } from '../core/scheduler.ts';
import type { Change } from '../core/step.ts';
import { expectedTrials } from '../core/trials.ts';
import type { RuleName } from '../early-stop/settings.ts';
import type { Commit } from '../store/journal.ts';
import type { PageSize } from '../store/trial-queries.ts';
import { measureAgents } from './agent-series.ts';
import type { CoordinatorMetrics } from './families.ts';
import { SweepSeries } from './sweep-series.ts';
import { TrialSeries } from './trial-series.ts';

/**
 * The series of a sweep remain for this many milliseconds after its end, so that Prometheus scrapes the last values.
 */
const SERIES_RETENTION_MS = 10 * 60_000;

/** The maximum number of trials, and their maximum total size, in one read. */
const TRIALS_PER_PAGE: PageSize = { rows: 1_000, bytes: 1024 * 1024 };

const SWEEP_STATES = ['running', 'paused', 'stopping'] as const;

export interface CollectingOptions {
  readonly version: string;
  /** Whether each trial has series. */
  readonly trialMetrics: boolean;
  /** The time for which the series of an ended sweep remain, in milliseconds. The default is ten minutes. */
  readonly lingerMs?: number;
  /** Called if figures of a sweep cannot be read from the store. */
  readonly onError: (error: unknown) => void;
}

export interface MetricsCollector {
  /** Waits until all earlier commits are counted, and then updates the gauges and the GPU time. */
  measure(): Promise<void>;
  stop(): void;
}

export function startCollecting(
  runtime: Runtime,
  metrics: CoordinatorMetrics,
  { version, trialMetrics, lingerMs = SERIES_RETENTION_MS, onError }: CollectingOptions,
): MetricsCollector {
  metrics.buildInfo.set({ version }, 1);
  metrics.startTime.set(now() / 1000);
  metrics.natsReconnects.inc({ component: 'coordinator' }, 0);
  for (const via of ['grpc', 'nats']) metrics.unreadable.inc({ via }, 0);
  for (const reason of REJECTION_REASONS) metrics.authRejected.inc({ reason }, 0);
  const collector = new Collector(runtime, metrics, trialMetrics ? new TrialSeries(metrics) : undefined, {
    lingerMs,
    onError,
  });
  const unsubscribe = runtime.onCommit((commit) => collector.take(commit));
  return {
    measure: () => collector.measure(),
    stop() {
      unsubscribe();
      collector.stop();
    },
  };
}

interface AttemptProgress {
  /** The newest epoch that the attempt has reported to this or an earlier process of the coordinator. */
  epoch: number;
  /** The epoch of the newest report, and the time of the report by the agent's clock. */
  last: { readonly epoch: number; readonly at: number } | undefined;
  /** The epoch that the attempt resumed from. */
  readonly from: number;
  /** The last epoch that the trial will report. Undefined if it is unknown. */
  readonly epochs: number | undefined;
}

class Collector {
  readonly #runtime: Runtime;
  readonly #metrics: CoordinatorMetrics;
  readonly #trialSeries: TrialSeries | undefined;
  /** The GPU time that has been added to each sweep's counter so far, in milliseconds. */
  readonly #gpuMs = new Map<string, number>();
  readonly #lingerMs: number;
  readonly #onError: (error: unknown) => void;
  readonly #sweeps = new Map<string, SweepSeries>();
  readonly #offeredAt = new Map<string, number>();
  /** The times at which trials returned to the queue since this process started, by sweep and trial. */
  readonly #pendingSince = new Map<string, number>();
  readonly #runs = new Map<string, AttemptProgress>();
  /** The last attempt of each held trial, by sweep and trial. */
  readonly #held = new Map<string, { readonly rule: RuleName; readonly run: AttemptProgress | undefined }>();
  /** Ended sweeps whose series remain, each with the timer that removes its series. */
  readonly #lingering = new Map<string, NodeJS.Timeout>();
  /** Resolves once the commits so far are counted. Commits are counted in order. */
  #counted: Promise<void>;
  #lagMs = 0;

  constructor(
    runtime: Runtime,
    metrics: CoordinatorMetrics,
    trialSeries: TrialSeries | undefined,
    { lingerMs, onError }: { readonly lingerMs: number; readonly onError: (error: unknown) => void },
  ) {
    this.#lingerMs = lingerMs;
    this.#onError = onError;
    this.#runtime = runtime;
    this.#metrics = metrics;
    this.#trialSeries = trialSeries;
    for (const { key } of runtime.core.leases.values()) this.#runs.set(keyText(key), this.#earlierProgress(key));
    for (const sweep of runtime.core.sweeps.values()) this.#addHeld(sweep);
    this.#counted = this.#openAll([...runtime.core.sweeps.keys()]).catch(onError);
  }

  /**
   * Returns the progress of an attempt that an earlier process granted. The duration of the epochs before the attempt's
   * next report is not measured, because the earlier process received the previous report.
   */
  #earlierProgress(key: Pick<AttemptKey, 'sweepId' | 'trialId'>): AttemptProgress {
    return { epoch: 0, last: undefined, from: Number.NaN, epochs: this.#epochsOf(key) };
  }

  #addHeld({ id: sweepId, policy, trials }: Sweep): void {
    const rule = policy.earlyTerminate?.type;
    if (rule === undefined) return;
    for (const { id: trialId, state } of trials.values()) {
      if (state !== 'held') continue;
      const run = this.#earlierProgress({ sweepId, trialId });
      this.#held.set(`${sweepId}/${trialId}`, { rule, run });
    }
  }

  /** Reads the epochs that running and held trials had reached when this process started. */
  async #restoreEpochs(): Promise<void> {
    const runs = [...this.#runs, ...[...this.#held].map(([name, { run }]) => [name, run] as const)];
    for (const [name, run] of runs) {
      const [sweepId = '', trialId = ''] = name.split('/');
      if (run !== undefined) run.epoch = (await this.#runtime.queries.trials.get(sweepId, trialId)).epoch;
    }
  }

  stop(): void {
    for (const timer of this.#lingering.values()) clearTimeout(timer);
  }

  async #openAll(sweepIds: Iterable<string>): Promise<void> {
    await this.#restoreEpochs();
    for (const id of sweepIds) if (!this.#sweeps.has(id)) await this.#open(id);
  }

  async #open(sweepId: string): Promise<void> {
    const { queries, core } = this.#runtime;
    const sweep = core.sweeps.get(sweepId);
    const rule = sweep?.policy.earlyTerminate?.type;
    const trials = sweep === undefined ? 0 : expectedTrials(sweep);
    const series = await SweepSeries.open(this.#metrics, queries, sweepId, trials, rule);
    this.#sweeps.set(sweepId, series);
    if (this.#trialSeries === undefined) return;
    for (let last = -1, more = true; more; ) {
      const page = await queries.trials.after(sweepId, last, TRIALS_PER_PAGE);
      for (const { id, epoch, metrics, state } of page.trials) {
        const counts = state === 'TRIAL_STATE_SUCCEEDED' || state === 'TRIAL_STATE_STOPPED';
        if (counts) this.#trialSeries.keep(sweepId, { trial: id, epoch, metrics }, series.ranking);
      }
      last = page.trials.at(-1)?.index ?? last;
      more = page.more;
    }
  }

  take(commit: Commit): void {
    this.#metrics.storeCommit.observe(commit.seconds);
    const at = now();
    this.#counted = this.#counted.then(() => this.#countAll(commit.changes, at)).catch((error) => this.#onError(error));
  }

  async #countAll(changes: readonly Change[], at: number): Promise<void> {
    for (const change of changes) {
      const sweepId = measuredSweep(change);
      if (sweepId !== undefined && !this.#sweeps.has(sweepId)) await this.#open(sweepId);
      if (change.kind === 'sweep' && isEnded(change.state)) await this.#sweepEnded(change.sweepId, at);
      else if (change.kind === 'granted') await this.#granted(change, at);
      else this.#count(change, at);
    }
  }

  #count(change: Change, at: number): void {
    switch (change.kind) {
      case 'trial':
        this.#trialChanged(change, at);
        break;
      case 'retried':
        this.#retried(change, at);
        break;
      case 'ended':
        this.#ended(change);
        break;
      case 'report':
        this.#reported(change, at);
        break;
      case 'sweep':
        this.#sweepResumed(change.sweepId);
        break;
      case 'straggler':
        this.#metrics.stragglersFound.inc({ sweep: change.key.sweepId });
        break;
      case 'warning':
      case 'rung':
      case 'advanced':
      case 'promoted':
      case 'notice':
      case 'program':
      case 'log':
      case 'agent':
      case 'drain':
      case 'priority':
      case 'artifact':
        break;
    }
  }

  #trialChanged({ sweepId: sweep, trialId, state, failure }: Change & { kind: 'trial' }, at: number): void {
    const name = `${sweep}/${trialId}`;
    const { trialRetries, trialsFinished } = this.#metrics;
    if (state === 'offered') this.#offeredAt.set(name, at);
    else this.#offeredAt.delete(name);
    if (state === 'pending') {
      this.#pendingSince.set(name, at);
      if (failure !== undefined) trialRetries.inc({ sweep, class: failure.class });
    } else if (state !== 'offered' && state !== 'held') {
      this.#pendingSince.delete(name);
      trialsFinished.inc({ sweep, outcome: state });
    }
    if (state === 'stopped') this.#heldStopped(sweep, name);
    if (state !== 'held') this.#held.delete(name);
  }

  #retried({ sweepId: sweep, trialId, failure }: Change & { kind: 'retried' }, at: number): void {
    this.#pendingSince.set(`${sweep}/${trialId}`, at);
    if (failure !== undefined) this.#metrics.trialRetries.inc({ sweep, class: failure });
  }

  async #granted({ key, resumedFrom, speculative }: Change & { kind: 'granted' }, at: number): Promise<void> {
    const name = `${key.sweepId}/${key.trialId}`;
    // The trial of a speculative attempt was already running, not pending.
    if (!speculative) {
      const offeredAt = this.#offeredAt.get(name);
      if (offeredAt !== undefined) this.#metrics.dispatchLatency.observe((at - offeredAt) / 1000);
      const waitedMs = at - (this.#pendingSince.get(name) ?? (await this.#earlierPendingSince(key)) ?? at);
      this.#metrics.queueWait.observe({ sweep: key.sweepId }, Math.max(0, waitedMs) / 1000);
      this.#offeredAt.delete(name);
      this.#pendingSince.delete(name);
    }
    const epochs = this.#epochsOf(key);
    this.#runs.set(keyText(key), { epoch: resumedFrom, last: undefined, from: resumedFrom, epochs });
  }

  /**
   * Returns the time at which a trial became pending, for a trial that has not returned to the queue since this process
   * started. The trial became pending at the end of its previous attempt or, without a previous attempt, when the sweep
   * was submitted.
   */
  async #earlierPendingSince(key: AttemptKey): Promise<number | undefined> {
    const previous = key.attempt === 1 ? undefined : await this.#runtime.queries.attempts.previousEnd(key);
    return previous ?? this.#sweeps.get(key.sweepId)?.createdAt;
  }

  #ended({ key, end, leasedMs }: Change & { kind: 'ended' }): void {
    const { sweepId: sweep } = key;
    const run = this.#runs.get(keyText(key));
    if (run !== undefined && end.outcome !== 'returned')
      this.#metrics.trialDuration.observe({ sweep }, leasedMs / 1000);
    this.#runs.delete(keyText(key));
    const counts = end.outcome === 'succeeded' || end.outcome === 'stopped';
    this.#trialSeries?.ended(key, counts ? this.#sweeps.get(sweep)?.ranking : undefined);
    if (end.outcome === 'stopped') this.#stopped(key, end.rule, run);
    if (end.outcome === 'held') this.#held.set(`${sweep}/${key.trialId}`, { rule: end.rule, run });
    if (end.outcome !== 'failed') return;
    this.#metrics.trialFailures.inc({ sweep, class: end.failure.class });
    if (end.failure.class === 'lost') this.#metrics.leaseExpirations.inc();
  }

  #stopped({ sweepId: sweep }: Pick<AttemptKey, 'sweepId'>, rule: RuleName, run: AttemptProgress | undefined): void {
    this.#metrics.earlyStops.inc({ sweep, rule });
    if (run?.epochs === undefined) return;
    this.#metrics.savedEpochs.inc({ sweep }, Math.max(0, run.epochs - run.epoch));
  }

  #heldStopped(sweepId: string, name: string): void {
    const held = this.#held.get(name);
    if (held !== undefined) this.#stopped({ sweepId }, held.rule, held.run);
  }

  #epochsOf({ sweepId, trialId }: Pick<AttemptKey, 'sweepId' | 'trialId'>): number | undefined {
    return this.#runtime.core.sweeps.get(sweepId)?.trials.get(trialId)?.epochs;
  }

  #reported({ key, epoch, metrics, at: madeAt, startedAt }: Change & { kind: 'report' }, at: number): void {
    this.#metrics.reportsIngested.inc();
    this.#lagMs = Math.max(this.#lagMs, at - madeAt);
    this.#sweeps.get(key.sweepId)?.reported(metrics, madeAt);
    this.#trialSeries?.reported(key, epoch, metrics);
    const run = this.#runs.get(keyText(key));
    if (run === undefined) return;
    const { last } = run;
    const each =
      last === undefined
        ? (at - (startedAt ?? Number.NaN)) / (epoch - run.from)
        : (madeAt - last.at) / (epoch - last.epoch);
    if (Number.isFinite(each) && each >= 0) this.#metrics.epochDuration.observe({ sweep: key.sweepId }, each / 1000);
    run.last = { epoch, at: madeAt };
    run.epoch = Math.max(run.epoch, epoch);
  }

  async measure(): Promise<void> {
    await this.#counted;
    const at = now();
    const m = this.#metrics;
    const { core, timeLeft } = this.#runtime;
    const states = { running: 0, paused: 0, stopping: 0 };
    for (const sweep of [...core.sweeps.values()]) {
      if (!isEnded(sweep.state)) states[sweep.state] += 1;
      if (!this.#sweeps.has(sweep.id)) await this.#open(sweep.id);
      const left = await timeLeft.of(sweep.id);
      await this.#countGpuTime(sweep.id);
      // The sweep may have ended during the reads above.
      if (core.sweeps.has(sweep.id)) this.#sweeps.get(sweep.id)?.measure(sweep, left);
    }
    for (const state of SWEEP_STATES) m.sweeps.set({ state }, states[state]);
    measureOffers(core, m);
    m.reportsLag.set(this.#lagMs / 1000);
    this.#lagMs = 0;
    measureAgents(core, m, at);
    this.#trialSeries?.measure();
  }

  /** Increases the sweep's counter by the GPU time used since the previous call. */
  async #countGpuTime(sweep: string): Promise<void> {
    const { gpuMs } = await this.#runtime.queries.sweeps.slotTime(sweep);
    const counted = this.#gpuMs.get(sweep) ?? 0;
    if (gpuMs <= counted) return;
    this.#metrics.gpuSeconds.inc({ sweep }, (gpuMs - counted) / 1000);
    this.#gpuMs.set(sweep, gpuMs);
  }

  async #sweepEnded(sweep: string, at: number): Promise<void> {
    const { counts } = await this.#runtime.queries.sweeps.get(sweep);
    await this.#countGpuTime(sweep);
    this.#sweeps.get(sweep)?.end({ ...counts }, at);
    const timer = setTimeout(() => {
      this.#lingering.delete(sweep);
      this.#sweeps.get(sweep)?.remove();
      this.#sweeps.delete(sweep);
      this.#trialSeries?.forget(sweep);
    }, this.#lingerMs);
    timer.unref();
    this.#lingering.set(sweep, timer);
  }

  /** Keeps the series of a sweep that runs again after its end. */
  #sweepResumed(sweep: string): void {
    clearTimeout(this.#lingering.get(sweep));
    if (this.#lingering.delete(sweep)) this.#sweeps.get(sweep)?.resume();
  }
}

/** Returns the sweep that a change is counted for; undefined if the change is not counted. */
function measuredSweep(change: Change): string | undefined {
  switch (change.kind) {
    case 'trial':
    case 'retried':
    case 'sweep':
      return change.sweepId;
    case 'granted':
    case 'ended':
    case 'report':
    case 'straggler':
      return change.key.sweepId;
    default:
      return undefined;
  }
}

function measureOffers(core: Core, { offersOutstanding }: CoordinatorMetrics): void {
  offersOutstanding.reset();
  // The pools of isolated agents share one series, because these pools appear and disappear.
  const isolated = new Set([...core.agents.values()].flatMap((agent) => (agent.isolated ? agent.pools : [])));
  const labelOf = (pool: string) => (isolated.has(pool) ? 'isolated' : pool);
  for (const pool of livePools(core)) offersOutstanding.set({ pool: labelOf(pool) }, 0);
  for (const { pool } of openOffers(core)) offersOutstanding.inc({ pool: labelOf(pool) });
}
