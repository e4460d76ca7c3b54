/** Analysis of variance for the dashboard's parameters view. */
import { importanceOf } from '../../coordinator/analysis/importance.ts';
import type { Importance } from '../../dashboard/state/model.ts';
import { fromWire } from '../../lib/domain/wire-parameters.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { trialState } from '../../proto/names.ts';

/** More would keep the dashboard from answering keys. */
const MOST_TRIALS = 5_000;

export function importanceFor(trials: readonly Trial[], metric: string, axes: readonly string[]): Importance {
  if (trials.length > MOST_TRIALS) {
    const why = `importance is not reckoned here for more than ${MOST_TRIALS} trials: "trawl report" has it`;
    return { metric, why, effects: [], interactions: [] };
  }
  const judged = trials.map((trial) => ({
    id: trial.id,
    configId: trial.configId,
    seed: trial.seed,
    parameters: fromWire(trial.parameters),
    state: trialState.of(trial.state),
    metrics: trial.metrics,
    curve: [],
  }));
  return importanceOf(judged, metric, axes);
}
