import { fromWire } from '../../lib/domain/wire-parameters.ts';
import type { Config, Spread, TrialCounts } from '../../proto/gen/trawl/v1/types.ts';
import type { Parameters } from '../../proto/trainers.ts';

/** A config as every verb prints it with `-o json`: its replicates taken together. */
export interface ConfigJson {
  readonly config: string;
  /** Place by the mean of the asked metric, from 1; null while no replicate has a value of it. */
  readonly rank: number | null;
  readonly parameters: Parameters;
  /** Its trials by state. */
  readonly counts: Readonly<Partial<Record<keyof TrialCounts, number>>>;
  /** Over the replicates that have a result: failed and cancelled ones are not in. */
  readonly metrics: Readonly<Record<string, Spread>>;
  /** In order of their seeds. */
  readonly trials: readonly string[];
}

export function configJson({ id, rank, parameters, counts, metrics, trialIds }: Config): ConfigJson {
  return {
    config: id,
    rank: rank === 0 ? null : rank,
    parameters: fromWire(parameters),
    counts: counts ?? {},
    metrics: Object.fromEntries(Object.entries(metrics).sort(([a], [b]) => (a < b ? -1 : 1))),
    trials: trialIds,
  };
}
