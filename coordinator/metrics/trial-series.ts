/** Maintains the optional series per trial, for all running trials and the best ended trials. */

import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { ownValue } from '../../lib/domain/own-value.ts';
import type { CoordinatorMetrics } from './families.ts';

const TOP_TRIALS = 50;

export interface TrialValues {
  readonly trial: string;
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** The rule by which the trials of a sweep are ranked. */
export interface Ranking {
  readonly metric: string;
  readonly lessIsBetter: boolean;
}

export class TrialSeries {
  readonly #metrics: CoordinatorMetrics;
  readonly #running = new Map<string, { readonly sweep: string; values: TrialValues }>();
  /** The ended trials with series, best first, by sweep. */
  readonly #ended = new Map<string, TrialValues[]>();

  constructor(metrics: CoordinatorMetrics) {
    this.#metrics = metrics;
  }

  reported(key: AttemptKey, epoch: number, metrics: Readonly<Record<string, number>>): void {
    this.#running.set(keyText(key), { sweep: key.sweepId, values: { trial: key.trialId, epoch, metrics } });
  }

  /**
   * Records the end of an attempt.
   * @param ranking how the sweep ranks its trials; undefined if the attempt has no result
   */
  ended(key: AttemptKey, ranking: Ranking | undefined): void {
    const found = this.#running.get(keyText(key));
    this.#running.delete(keyText(key));
    if (found !== undefined && ranking !== undefined) this.keep(key.sweepId, found.values, ranking);
  }

  /** Adds an ended trial if the trial ranks among the best. */
  keep(sweep: string, values: TrialValues, { metric, lessIsBetter }: Ranking): void {
    if (!Number.isFinite(ownValue(values.metrics, metric))) return;
    const order = (a: TrialValues, b: TrialValues) => {
      const difference = (ownValue(a.metrics, metric) ?? 0) - (ownValue(b.metrics, metric) ?? 0);
      return lessIsBetter ? difference : -difference;
    };
    const best = (this.#ended.get(sweep) ?? []).filter(({ trial }) => trial !== values.trial);
    this.#ended.set(sweep, [...best, values].sort(order).slice(0, TOP_TRIALS));
  }

  forget(sweep: string): void {
    this.#ended.delete(sweep);
    for (const [name, running] of this.#running) if (running.sweep === sweep) this.#running.delete(name);
  }

  measure(): void {
    this.#metrics.trialMetric.reset();
    this.#metrics.trialEpoch.reset();
    for (const [sweep, best] of this.#ended) for (const values of best) this.#show(sweep, values);
    // If two attempts of the same trial are running, the series show the values of the attempt that reported first.
    for (const { sweep, values } of [...this.#running.values()].reverse()) this.#show(sweep, values);
  }

  #show(sweep: string, { trial, epoch, metrics }: TrialValues): void {
    this.#metrics.trialEpoch.set({ sweep, trial }, epoch);
    for (const [metric, value] of Object.entries(metrics))
      this.#metrics.trialMetric.set({ sweep, trial, metric }, value);
  }
}
