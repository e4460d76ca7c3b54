/**
 * Selects the reconstructions of a report: one for each value, or range of values, of the most important parameter,
 * including the reconstruction of the best config. If no parameter varies, selects only the best config.
 */
import { ownValue } from '../../lib/domain/own-value.ts';
import { countedReplicates, trialValue } from '../../lib/domain/trial-result.ts';
import type { Config, Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { GoalName } from '../../proto/names.ts';
import { MAX_RECONSTRUCTIONS } from './limits.ts';
import { levelsOf } from './parameter-levels.ts';
import { type VariedParameters, valuesOf } from './trial-results.ts';

export interface ChosenReconstruction {
  /** The label of the image: `latent_dim=15`, `latent_dim=30, best`, or `best`. */
  readonly label: string;
  readonly config: Config;
  /** The config's best trial. */
  readonly trial: Trial;
}

/** Returns the chosen configs in the order of the parameter's values. @param configs in order of rank */
export function chooseReconstructions(
  configs: readonly Config[],
  trials: readonly Trial[],
  space: VariedParameters,
  objective: { readonly metric: string; readonly goal: GoalName },
): ChosenReconstruction[] {
  const byId = new Map(trials.map((trial) => [trial.id, trial]));
  const ranked = configs.filter(({ rank }) => rank > 0);
  const chosen = (label: string, config: Config | undefined): ChosenReconstruction[] => {
    if (config === undefined) return [];
    const trial = bestTrial(config, byId, objective);
    return trial === undefined ? [] : [{ label, config, trial }];
  };
  const best = ranked[0];
  if (best === undefined) return [];
  const main = space.independent
    .map((name) => ({ name, levels: levelsOf(valuesOf(space, name), MAX_RECONSTRUCTIONS) }))
    .find(({ levels }) => levels !== undefined);
  const across = main?.levels?.flatMap(({ label, has }) => {
    const there = ranked.filter((config) => has(space.parameters.get(config)?.[main.name]));
    const config = nearest(there, best, space);
    return chosen(`${main.name}=${label}${config === best ? ', best' : ''}`, config);
  });
  return across ?? chosen('best', best);
}

function nearest(configs: readonly Config[], to: Config, space: VariedParameters): Config | undefined {
  const target = space.parameters.get(to) ?? {};
  const shared = (config: Config) =>
    space.independent.filter((name) => space.parameters.get(config)?.[name] === target[name]).length;
  return configs.toSorted((a, b) => shared(b) - shared(a) || a.rank - b.rank)[0];
}

function bestTrial(
  config: Config,
  byId: ReadonlyMap<string, Trial>,
  { metric, goal }: { readonly metric: string; readonly goal: GoalName },
): Trial | undefined {
  const sign = goal === 'minimize' ? 1 : -1;
  return countedReplicates(config.trialIds.flatMap((id) => byId.get(id) ?? []))
    .filter((trial) => trialValue(trial, metric) !== undefined)
    .sort((a, b) => sign * ((ownValue(a.metrics, metric) ?? 0) - (ownValue(b.metrics, metric) ?? 0)))[0];
}
