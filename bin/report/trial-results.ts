/** Extracts and formats results of a sweep for several sections of a report. */
import { sweptParameters } from '../../coordinator/grid/spec.ts';
import { ownValue } from '../../lib/domain/own-value.ts';
import { rankingMetric } from '../../lib/domain/ranking.ts';
import type { Config } from '../../proto/gen/trawl/v1/types.ts';
import { type GoalName, goal } from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';
import type { ReportData } from './data.ts';
import {
  distinctValues,
  independentParameters,
  parametersOf,
  valueText,
  varyingParameters,
} from './parameter-levels.ts';

/** Returns the name of the metric that ranks the sweep. */
export const objectiveOf = (data: ReportData): string =>
  rankingMetric(data.sweep.metric?.name ?? data.spec.metric.name, data.trials);

export function objectiveGoal({ sweep, spec }: ReportData): GoalName {
  return sweep.metric === undefined ? spec.metric.goal : goal.of(sweep.metric.goal);
}

export interface VariedParameters {
  /** The parameters that differ between configs. The sweep's axes come first. */
  readonly varying: readonly string[];
  /** The varying parameters that no other parameter determines, in order of importance. */
  readonly independent: readonly string[];
  /** Parameters that all configs share. */
  readonly fixed: Parameters;
  readonly parameters: ReadonlyMap<Config, Parameters>;
}

export function variedParameters(data: ReportData): VariedParameters {
  const parameters = new Map(data.configs.map((config) => [config, parametersOf(config)]));
  const all = [...parameters.values()];
  const axes = sweptParameters(data.spec);
  const varying = varyingParameters(all, axes);
  const followers = new Set(data.spec.zip.flatMap((names) => names.slice(1)));
  const own = new Set(axes.filter((name) => !followers.has(name)));
  const share = new Map(data.importance?.effects.map((effect) => [effect.parameter, effect.share]));
  const independent = independentParameters(all, varying, own);
  const first = all[0] ?? {};
  return {
    varying,
    independent: independent.toSorted((a, b) => (share.get(b) ?? 0) - (share.get(a) ?? 0)),
    fixed: Object.fromEntries(
      Object.entries(first)
        .filter(([name]) => !varying.includes(name))
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
    parameters,
  };
}

/** Formats parameters such as `depth=3 latent_dim=15`. */
export function assignmentsText(parameters: Parameters, names: readonly string[]): string {
  return names.map((name) => `${name}=${valueText(ownValue(parameters, name))}`).join(' ');
}

export const valuesOf = (space: VariedParameters, name: string) =>
  distinctValues([...space.parameters.values()].map((parameters) => ownValue(parameters, name)));
