/** Builds trials with results for tests of the analysis. */

import type { JudgedTrial } from '../../../coordinator/analysis/judgment.ts';
import type { Parameters } from '../../../proto/trainers.ts';
import { canonicalJson } from '../../../proto/values.ts';

/** Returns one trial per value of the metric `loss`, with the seeds 0, 1, 2, ... */
export function replicates(parameters: Parameters, values: readonly number[]): JudgedTrial[] {
  return values.map((loss, seed) => trial(parameters, seed, { metrics: { loss } }));
}

export function trial(parameters: Parameters, seed: number, change: Partial<JudgedTrial> = {}): JudgedTrial {
  const configId = canonicalJson(parameters);
  return {
    id: `${configId}/${seed}`,
    configId,
    seed,
    parameters,
    state: 'succeeded',
    stopReason: '',
    metrics: {},
    curve: [],
    ...change,
  };
}

/** Returns a trial with one value of the metric `loss` for each of the epochs 1, 2, 3, ... */
export function withCurve(parameters: Parameters, seed: number, losses: readonly number[]): JudgedTrial {
  const curve = losses.map((loss, index) => ({ epoch: index + 1, metrics: { loss } }));
  return trial(parameters, seed, { metrics: curve.at(-1)?.metrics ?? {}, curve });
}
