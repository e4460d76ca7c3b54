/** Fills the families: counters from what is committed, gauges from memory whenever Prometheus asks. */

import { clearTimeout, setTimeout } from 'node:timers';
import type { Metric } from 'prom-client';
import { usualGoal } from '../../proto/goals.ts';
import { type GoalName, goal } from '../../proto/names.ts';
import { REFUSAL_REASONS } from '../auth/admit.ts';
import { now } from '../clock.ts';
import { shownState } from '../core/drain.ts';
import { busySlots } from '../core/leases.ts';
import { type AttemptKey, isEnded, keyText } from '../core/model.ts';
import type { Change } from '../core/step.ts';
import type { Runtime } from '../runtime.ts';
import type { Commit } from '../store/journal.ts';
import type { CoordinatorMetrics } from './families.ts';

/** How long a sweep's series stay after its end, so that the last values are scraped. */
export const SERIES_LINGER_MS = 10 * 60_000;

const SWEEP_STATES = ['running', 'paused', 'stopping'] as const;
const OUTCOMES = ['succeeded', 'stopped', 'failed', 'cancelled'] as const;
const CLASSES = ['oom', 'nan', 'crash', 'lost', 'timeout', 'preflight', 'rejected', 'drained'] as const;
const AGENT_STATES = ['connected', 'draining', 'drained', 'lost'] as const;

export interface Collecting {
  /** Brings the gauges up to date. */
  measure(): void;
  stop(): void;
}

export function startCollecting(runtime: Runtime, metrics: CoordinatorMetrics, version: string): Collecting {
  metrics.buildInfo.set({ version }, 1);
  metrics.startTime.set(now() / 1000);
  for (const reason of REFUSAL_REASONS) metrics.authRefused.inc({ reason }, 0);
  const collector = new Collector(runtime, metrics);
  for (const sweep of runtime.queries.sweeps()) if (runtime.core.sweeps.has(sweep.id)) collector.introduce(sweep.id);
  const unsubscribe = runtime.onCommit((commit) => collector.take(commit));
  return {
    measure: () => collector.measure(),
    stop() {
      unsubscribe();
      collector.stop();
    },
  };
}

class Collector {
  readonly #runtime: Runtime;
  readonly #metrics: CoordinatorMetrics;
  readonly #offeredAt = new Map<string, number>();
  readonly #grantedAt = new Map<string, number>();
  readonly #best = new Map<string, number>();
  /** Of each sweep's own metric, by sweep and metric. */
  readonly #goals = new Map<string, GoalName>();
  readonly #known = new Set<string>();
  readonly #lingering = new Set<NodeJS.Timeout>();

  constructor(runtime: Runtime, metrics: CoordinatorMetrics) {
    this.#runtime = runtime;
    this.#metrics = metrics;
  }

  stop(): void {
    for (const timer of this.#lingering) clearTimeout(timer);
  }

  /** Zeros for every known label value, so that rates are right from the first event. */
  introduce(sweepId: string): void {
    if (this.#known.has(sweepId)) return;
    this.#known.add(sweepId);
    const m = this.#metrics;
    const sweep = this.#runtime.queries.sweep(sweepId);
    if (sweep.metric !== undefined) this.#goals.set(`${sweepId} ${sweep.metric.name}`, goal.of(sweep.metric.goal));
    m.sweepInfo.set({ sweep: sweepId, name: sweep.name, method: 'grid', metric: sweep.metric?.name ?? '' }, 1);
    m.trialsExpected.set({ sweep: sweepId }, this.#runtime.core.sweeps.get(sweepId)?.trials.size ?? 0);
    m.trialsExcluded.set({ sweep: sweepId }, sweep.excluded);
    for (const outcome of OUTCOMES) m.trialsFinished.inc({ sweep: sweepId, outcome }, 0);
    for (const failure of CLASSES) {
      m.trialFailures.inc({ sweep: sweepId, class: failure }, 0);
      m.trialRetries.inc({ sweep: sweepId, class: failure }, 0);
    }
  }

  take(commit: Commit): void {
    this.#metrics.storeCommit.observe(commit.seconds);
    const at = now();
    for (const change of commit.changes) this.#count(change, at);
  }

  #count(change: Change, at: number): void {
    const m = this.#metrics;
    switch (change.kind) {
      case 'trial': {
        const { sweepId: sweep, trialId, state, failure } = change;
        if (state === 'offered') this.#offeredAt.set(`${sweep}/${trialId}`, at);
        else if (state === 'pending') {
          this.#offeredAt.delete(`${sweep}/${trialId}`);
          if (failure !== undefined) m.trialRetries.inc({ sweep, class: failure.class });
        } else m.trialsFinished.inc({ sweep, outcome: state });
        break;
      }
      case 'granted': {
        const name = `${change.key.sweepId}/${change.key.trialId}`;
        const offeredAt = this.#offeredAt.get(name);
        if (offeredAt !== undefined) m.dispatchLatency.observe((at - offeredAt) / 1000);
        this.#offeredAt.delete(name);
        this.#grantedAt.set(keyText(change.key), at);
        break;
      }
      case 'ended': {
        const sweep = change.key.sweepId;
        const grantedAt = this.#grantedAt.get(keyText(change.key));
        if (grantedAt !== undefined) m.trialDuration.observe({ sweep }, (at - grantedAt) / 1000);
        this.#grantedAt.delete(keyText(change.key));
        if (change.ending.outcome !== 'failed') break;
        m.trialFailures.inc({ sweep, class: change.ending.failure.class });
        if (change.ending.failure.class === 'lost') m.leaseExpirations.inc();
        break;
      }
      case 'report':
        m.reportsIngested.inc();
        m.lastReport.set({ sweep: change.key.sweepId }, change.at / 1000);
        this.#improve(change.key, change.metrics);
        break;
      case 'sweep':
        if (isEnded(change.state)) this.#forgetLater(change.sweepId);
        break;
      case 'log':
      case 'drain':
        break;
    }
  }

  #improve({ sweepId: sweep }: AttemptKey, metrics: Readonly<Record<string, number>>): void {
    this.introduce(sweep);
    for (const [metric, value] of Object.entries(metrics)) {
      if (!Number.isFinite(value)) continue;
      const name = `${sweep} ${metric}`;
      const best = this.#best.get(name);
      const lessIsBetter = (this.#goals.get(name) ?? usualGoal(metric)) === 'minimize';
      if (best !== undefined && (lessIsBetter ? value >= best : value <= best)) continue;
      this.#best.set(name, value);
      this.#metrics.bestMetric.set({ sweep, metric }, value);
    }
  }

  measure(): void {
    const m = this.#metrics;
    const { core } = this.#runtime;
    const states = { running: 0, paused: 0, stopping: 0 };
    let offered = 0;
    for (const sweep of core.sweeps.values()) {
      this.introduce(sweep.id);
      if (!isEnded(sweep.state)) states[sweep.state] += 1;
      offered += sweep.counts.offered;
      for (const [state, n] of Object.entries(sweep.counts)) m.trials.set({ sweep: sweep.id, state }, n);
    }
    for (const state of SWEEP_STATES) m.sweeps.set({ state }, states[state]);
    m.offersOutstanding.set(offered);
    this.#measureAgents();
  }

  #measureAgents(): void {
    const m = this.#metrics;
    const { core } = this.#runtime;
    const states = { connected: 0, draining: 0, drained: 0, lost: 0 };
    m.agentInfo.reset();
    for (const agent of core.agents.values()) {
      states[shownState(core, agent)] += 1;
      const { id, host, backend, version } = agent;
      m.agentInfo.set({ agent: id, host, gpu_model: agent.gpus[0] ?? '', backend, version }, 1);
      const busy = busySlots(core, id);
      m.agentSlots.set({ agent: id, state: 'busy' }, busy);
      m.agentSlots.set({ agent: id, state: 'free' }, Math.max(0, agent.slots - busy));
      m.agentHeartbeat.set({ agent: id }, agent.lastHeardAt / 1000);
    }
    for (const state of AGENT_STATES) m.agents.set({ state }, states[state]);
  }

  /** The last counts stand for a while; then the sweep's series go. */
  #forgetLater(sweep: string): void {
    const { counts } = this.#runtime.queries.sweep(sweep);
    for (const [state, n] of Object.entries(counts ?? {})) this.#metrics.trials.set({ sweep, state }, n);
    const timer = setTimeout(() => {
      this.#lingering.delete(timer);
      this.#forget(sweep);
    }, SERIES_LINGER_MS);
    timer.unref();
    this.#lingering.add(timer);
  }

  #forget(sweep: string): void {
    const m = this.#metrics;
    this.#known.delete(sweep);
    for (const names of [this.#best, this.#goals]) {
      for (const name of names.keys()) if (name.startsWith(`${sweep} `)) names.delete(name);
    }
    const families = [
      m.sweepInfo,
      m.trials,
      m.trialsExpected,
      m.trialsExcluded,
      m.trialsFinished,
      m.trialFailures,
      m.trialRetries,
      m.trialDuration,
      m.bestMetric,
      m.lastReport,
    ];
    for (const family of families) void removeSweep(family, sweep);
  }
}

/** Takes the sweep's label sets out of a family. prom-client removes whole label sets only. */
async function removeSweep(family: Metric, sweep: string): Promise<void> {
  const { values } = await family.get();
  for (const value of values) {
    const { le: _, ...labels } = value.labels as Record<string, string | number>;
    if (labels.sweep === sweep) family.remove(labels);
  }
}
