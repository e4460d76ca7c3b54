/** Groups trials into configs and ranks them. The trials of a config share all parameters except the seed. */

import { groups } from 'd3-array';
import type { Config, Spread, Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { GoalName } from '../../proto/names.ts';
import { ownValue } from './own-value.ts';
import { lossesOf, type Objective, rankByLosses } from './pareto.ts';
import { rank } from './ranking.ts';
import { configSpread, countedReplicates, leftOutOfConfig } from './trial-result.ts';
import { countedAs, noCounts } from './trial-state.ts';

/**
 * Returns the id of a trial's config. If the trial has no config id, the trial is the only replicate of its config, and
 * the id of the trial is returned.
 */
export const configIdOf = (trial: Trial): string => trial.configId || trial.id;

/**
 * Groups trials into configs, and sorts the configs by index. The rank of each config is 0 until `rankConfigs` sets it.
 */
export function configsOf(trials: readonly Trial[]): Config[] {
  return groups(trials, configIdOf)
    .map(([id, replicates]) => configOf(id, replicates))
    .sort((a, b) => a.index - b.index);
}

/**
 * Ranks configs by the mean of a metric over their replicates, best first. The best config has rank 1. A config without
 * a mean has rank 0.
 */
export function rankConfigs(configs: readonly Config[], metric: string, goal: GoalName): Config[] {
  const ranked = rank(configs, ({ metrics }) => ownValue(metrics, metric)?.mean, goal);
  return ranked.map(([config, place]) => ({ ...config, rank: place }));
}

/** Ranks configs by the means of several objectives (pareto.ts), and sets their `rank` and `front`. */
export function rankConfigsByObjectives(configs: readonly Config[], objectives: readonly Objective[]): Config[] {
  const goals = objectives.map(({ goal }) => goal);
  const lossesOfConfig = ({ metrics }: Config) =>
    lossesOf(
      objectives.map(({ name }) => ownValue(metrics, name)?.mean),
      goals,
    );
  return rankByLosses(configs, lossesOfConfig).map(([config, { place, front }]) => ({
    ...config,
    rank: place,
    front: front || undefined,
  }));
}

function configOf(id: string, replicates: readonly Trial[]): Config {
  const byIndex = replicates.toSorted((a, b) => a.index - b.index);
  const counts = noCounts();
  for (const trial of replicates) counts[countedAs(trial)] += 1;
  return {
    id,
    index: byIndex[0]?.index ?? 0,
    parameters: byIndex[0]?.parameters ?? {},
    counts,
    metrics: metricsOf(byIndex),
    leftOut: leftOutOfConfig(byIndex),
    trialIds: replicates.toSorted((a, b) => a.seed - b.seed).map((trial) => trial.id),
    rank: 0,
  };
}

function metricsOf(byIndex: readonly Trial[]): Record<string, Spread> {
  const names = new Set(countedReplicates(byIndex).flatMap(({ metrics }) => Object.keys(metrics)));
  const spreads: Record<string, Spread> = {};
  for (const name of names) {
    const spread = configSpread(byIndex, name);
    if (spread !== undefined) spreads[name] = spread;
  }
  return spreads;
}
