/** Fills the families: counters from what is committed, gauges from memory whenever Prometheus asks. */

import { clearTimeout, setTimeout } from 'node:timers';
import { keyText } from '../../lib/domain/attempt-key.ts';
import type { Runtime } from '../app/runtime.ts';
import { now } from '../app/runtime.ts';
import { REJECTION_REASONS } from '../auth/rejections.ts';
import { type Core, isEnded } from '../core/model.ts';
import { livePools, standingOffers } from '../core/scheduler.ts';
import type { Change } from '../core/step.ts';
import type { Commit } from '../store/journal.ts';
import { measureAgents } from './agent-series.ts';
import type { CoordinatorMetrics } from './families.ts';
import { GpuSeconds } from './gpu-seconds.ts';
import { SweepSeries } from './sweep-series.ts';
import { TrialSeries } from './trial-series.ts';

/** How long a sweep's series stay after its end, so that the last values are scraped. */
const SERIES_LINGER_MS = 10 * 60_000;

const SWEEP_STATES = ['running', 'paused', 'stopping'] as const;

export interface CollectingOptions {
  readonly version: string;
  /** Whether single trials have series. */
  readonly trialMetrics: boolean;
  /** How long the series of an ended sweep stay. */
  readonly lingerMs?: number;
}

export interface Collecting {
  /** Brings the gauges up to date. */
  measure(): void;
  stop(): void;
}

export function startCollecting(
  runtime: Runtime,
  metrics: CoordinatorMetrics,
  { version, trialMetrics, lingerMs = SERIES_LINGER_MS }: CollectingOptions,
): Collecting {
  metrics.buildInfo.set({ version }, 1);
  metrics.startTime.set(now() / 1000);
  metrics.natsReconnects.inc({ component: 'coordinator' }, 0);
  for (const via of ['grpc', 'nats']) metrics.unreadable.inc({ via }, 0);
  for (const reason of REJECTION_REASONS) metrics.authRefused.inc({ reason }, 0);
  const collector = new Collector(runtime, metrics, trialMetrics ? new TrialSeries(metrics) : undefined, lingerMs);
  const unsubscribe = runtime.onCommit((commit) => collector.take(commit));
  return {
    measure: () => collector.measure(),
    stop() {
      unsubscribe();
      collector.stop();
    },
  };
}

/** What is remembered of an attempt while it runs. */
interface Run {
  readonly grantedAt: number;
  /** The newest report: the epoch, and when it was made as the agent tells the time. */
  last: { readonly epoch: number; readonly at: number } | undefined;
  /** The epoch that it went on from. */
  readonly from: number;
}

class Collector {
  readonly #runtime: Runtime;
  readonly #metrics: CoordinatorMetrics;
  readonly #trialSeries: TrialSeries | undefined;
  readonly #gpuSeconds: GpuSeconds;
  readonly #lingerMs: number;
  readonly #sweeps = new Map<string, SweepSeries>();
  readonly #offeredAt = new Map<string, number>();
  /** Of trials that came back to the queue; the others wait since their sweep was submitted. */
  readonly #waitsSince = new Map<string, number>();
  readonly #runs = new Map<string, Run>();
  /** Sweeps that have ended, until their series go. */
  readonly #lingering = new Map<string, NodeJS.Timeout>();
  #lagMs = 0;

  constructor(runtime: Runtime, metrics: CoordinatorMetrics, trialSeries: TrialSeries | undefined, lingerMs: number) {
    this.#lingerMs = lingerMs;
    this.#runtime = runtime;
    this.#metrics = metrics;
    this.#trialSeries = trialSeries;
    this.#gpuSeconds = new GpuSeconds({
      gpusPerSlot(agentId) {
        const agent = runtime.core.agents.get(agentId);
        return agent === undefined ? 0 : Math.min(1, agent.gpus.length / agent.slots);
      },
      add: (sweep, seconds) => metrics.gpuSeconds.inc({ sweep }, seconds),
    });
    for (const sweep of runtime.core.sweeps.values()) this.#introduce(sweep.id);
    for (const { key, agentId, slot, grantedAt } of runtime.core.leases.values()) {
      this.#gpuSeconds.granted(key, agentId, slot, now());
      // Its epochs are measured from its next report on: what came before was another process'.
      this.#runs.set(keyText(key), { grantedAt, last: undefined, from: Number.NaN });
    }
  }

  stop(): void {
    for (const timer of this.#lingering.values()) clearTimeout(timer);
  }

  #introduce(sweepId: string): SweepSeries {
    const known = this.#sweeps.get(sweepId);
    if (known !== undefined) return known;
    const { queries, core } = this.#runtime;
    const series = new SweepSeries(this.#metrics, queries, sweepId, core.sweeps.get(sweepId)?.trials.size ?? 0);
    this.#sweeps.set(sweepId, series);
    if (this.#trialSeries !== undefined) {
      for (const { id, epoch, metrics, state } of queries.trials(sweepId)) {
        const counts = state === 'TRIAL_STATE_SUCCEEDED' || state === 'TRIAL_STATE_STOPPED';
        if (counts) this.#trialSeries.keep(sweepId, { trial: id, epoch, metrics }, series.ranking);
      }
    }
    return series;
  }

  take(commit: Commit): void {
    this.#metrics.storeCommit.observe(commit.seconds);
    const at = now();
    for (const change of commit.changes) this.#count(change, at);
  }

  #count(change: Change, at: number): void {
    switch (change.kind) {
      case 'trial':
        this.#trialMoved(change, at);
        break;
      case 'retried':
        this.#retried(change, at);
        break;
      case 'granted':
        this.#granted(change, at);
        break;
      case 'ended':
        this.#ended(change, at);
        break;
      case 'report':
        this.#reported(change, at);
        break;
      case 'sweep':
        if (isEnded(change.state)) this.#sweepEnded(change.sweepId, at);
        else this.#sweepGoesOn(change.sweepId);
        break;
      case 'warning':
      case 'notice':
      case 'log':
      case 'drain':
      case 'priority':
      case 'artifact':
        break;
    }
  }

  #trialMoved({ sweepId: sweep, trialId, state, failure }: Change & { kind: 'trial' }, at: number): void {
    const name = `${sweep}/${trialId}`;
    const { trialRetries, trialsFinished } = this.#metrics;
    this.#introduce(sweep);
    if (state === 'offered') this.#offeredAt.set(name, at);
    else this.#offeredAt.delete(name);
    if (state === 'pending') {
      this.#waitsSince.set(name, at);
      if (failure !== undefined) trialRetries.inc({ sweep, class: failure.class });
    } else if (state !== 'offered') {
      this.#waitsSince.delete(name);
      trialsFinished.inc({ sweep, outcome: state });
    }
  }

  #retried({ sweepId: sweep, trialId, failure }: Change & { kind: 'retried' }, at: number): void {
    this.#introduce(sweep);
    this.#waitsSince.set(`${sweep}/${trialId}`, at);
    if (failure !== undefined) this.#metrics.trialRetries.inc({ sweep, class: failure });
  }

  #granted({ key, agentId, slot, resumedFrom }: Change & { kind: 'granted' }, at: number): void {
    const name = `${key.sweepId}/${key.trialId}`;
    const series = this.#introduce(key.sweepId);
    const offeredAt = this.#offeredAt.get(name);
    if (offeredAt !== undefined) this.#metrics.dispatchLatency.observe((at - offeredAt) / 1000);
    const waits = at - (this.#waitsSince.get(name) ?? series.createdAt);
    this.#metrics.queueWait.observe({ sweep: key.sweepId }, Math.max(0, waits) / 1000);
    this.#offeredAt.delete(name);
    this.#waitsSince.delete(name);
    this.#runs.set(keyText(key), { grantedAt: at, last: undefined, from: resumedFrom });
    this.#gpuSeconds.granted(key, agentId, slot, at);
    series.pace.started(at);
  }

  #ended({ key, end }: Change & { kind: 'ended' }, at: number): void {
    const { sweepId: sweep } = key;
    const series = this.#introduce(sweep);
    const run = this.#runs.get(keyText(key));
    if (run !== undefined) this.#metrics.trialDuration.observe({ sweep }, (at - run.grantedAt) / 1000);
    this.#runs.delete(keyText(key));
    this.#gpuSeconds.ended(key, at);
    const counts = end.outcome === 'succeeded' || end.outcome === 'stopped';
    this.#trialSeries?.ended(key, counts ? series.ranking : undefined);
    series.pace.ended(at);
    if (end.outcome !== 'failed') return;
    this.#metrics.trialFailures.inc({ sweep, class: end.failure.class });
    if (end.failure.class === 'lost') this.#metrics.leaseExpirations.inc();
  }

  #reported({ key, epoch, metrics, at: madeAt }: Change & { kind: 'report' }, at: number): void {
    this.#metrics.reportsIngested.inc();
    this.#lagMs = Math.max(this.#lagMs, at - madeAt);
    this.#introduce(key.sweepId).reported(metrics, madeAt);
    this.#trialSeries?.reported(key, epoch, metrics);
    const run = this.#runs.get(keyText(key));
    if (run === undefined) return;
    // The first epoch began with the grant, which only our own clock knows.
    const { last } = run;
    const each =
      last === undefined ? (at - run.grantedAt) / (epoch - run.from) : (madeAt - last.at) / (epoch - last.epoch);
    if (Number.isFinite(each) && each >= 0) this.#metrics.epochDuration.observe({ sweep: key.sweepId }, each / 1000);
    run.last = { epoch, at: madeAt };
  }

  measure(): void {
    const at = now();
    const m = this.#metrics;
    const { core } = this.#runtime;
    const states = { running: 0, paused: 0, stopping: 0 };
    this.#gpuSeconds.settleAll(at);
    for (const sweep of core.sweeps.values()) {
      if (!isEnded(sweep.state)) states[sweep.state] += 1;
      this.#introduce(sweep.id).measure(sweep, at);
    }
    for (const state of SWEEP_STATES) m.sweeps.set({ state }, states[state]);
    measureOffers(core, m);
    m.reportsLag.set(this.#lagMs / 1000);
    this.#lagMs = 0;
    measureAgents(core, m, at);
    this.#trialSeries?.measure();
  }

  #sweepEnded(sweep: string, at: number): void {
    const { counts } = this.#runtime.queries.sweep(sweep);
    this.#introduce(sweep).end({ ...counts }, at);
    const timer = setTimeout(() => {
      this.#lingering.delete(sweep);
      this.#sweeps.get(sweep)?.forget();
      this.#sweeps.delete(sweep);
      this.#trialSeries?.forget(sweep);
    }, this.#lingerMs);
    timer.unref();
    this.#lingering.set(sweep, timer);
  }

  /** Or runs again after its end: its series are not to go. */
  #sweepGoesOn(sweep: string): void {
    clearTimeout(this.#lingering.get(sweep));
    if (this.#lingering.delete(sweep)) this.#introduce(sweep).goOn();
  }
}

/** Pools come and go with their agents. */
function measureOffers(core: Core, { offersOutstanding }: CoordinatorMetrics): void {
  offersOutstanding.reset();
  for (const pool of livePools(core)) offersOutstanding.set({ pool }, 0);
  for (const { pool } of standingOffers(core)) offersOutstanding.inc({ pool });
}
