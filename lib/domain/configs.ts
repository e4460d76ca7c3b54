/** Replicates taken together: a config is a trial's parameters without the seed. */
import type { Config, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { type GoalName, trialState } from '../../proto/names.ts';
import { rank } from './ranking.ts';
import { type Spread, spreadOf } from './spread.ts';
import { isResult } from './trial-result.ts';

/**
 * The configs of some trials, in the sweep's order. Metrics are those of the replicates that succeeded or were stopped;
 * while there are none, of those that run. What a failed or cancelled replicate reported is no result. A value that is
 * not finite counts as none.
 */
export function configsOf(trials: readonly Trial[]): Config[] {
  const groups = new Map<string, Trial[]>();
  for (const trial of trials) {
    const group = groups.get(trial.configId);
    if (group === undefined) groups.set(trial.configId, [trial]);
    else group.push(trial);
  }
  return [...groups.values()].map(configOf).sort((a, b) => a.index - b.index);
}

/** By the mean over the replicates, best first. Places count from 1; 0 stands for none. */
export function rankConfigs(configs: readonly Config[], metric: string, goal: GoalName): Config[] {
  const means = configs.map((config) => ({
    index: config.index,
    metrics: { [metric]: config.metrics[metric]?.mean ?? Number.NaN },
    config,
  }));
  return rank(means, metric, goal).map(([{ config }, place]) => ({ ...config, rank: place }));
}

function configOf(replicates: readonly Trial[]): Config {
  const ordered = [...replicates].sort((a, b) => a.seed - b.seed);
  const first = replicates.reduce((least, trial) => (trial.index < least.index ? trial : least));
  const counts = { pending: 0, offered: 0, running: 0, succeeded: 0, stopped: 0, failed: 0, cancelled: 0 };
  for (const { state } of replicates) counts[trialState.of(state)] += 1;
  return {
    id: first.configId,
    index: first.index,
    parameters: first.parameters,
    counts,
    metrics: metricsOf(ordered),
    trialIds: ordered.map(({ id }) => id),
    rank: 0,
  };
}

function metricsOf(replicates: readonly Trial[]): Record<string, Spread> {
  const ended = replicates.filter(({ state }) => isResult(trialState.of(state)));
  const counted = ended.length > 0 ? ended : replicates.filter(({ state }) => trialState.of(state) === 'running');
  const names = new Set(counted.flatMap(({ metrics }) => Object.keys(metrics)));
  const spreads: Record<string, Spread> = {};
  for (const name of names) {
    const values = counted.flatMap(({ metrics }) => metrics[name] ?? []).filter(Number.isFinite);
    if (values.length > 0) spreads[name] = spreadOf(values);
  }
  return spreads;
}
