/** Trials with results, written short. */
import type { Parameters } from '../../proto/trainers.ts';
import { canonicalJson } from '../grid/canonical-json.ts';
import type { JudgedTrial } from './judged-trial.ts';

/** One trial of a metric `loss` for each of the values, with seeds 0, 1, 2, ... */
export function replicates(parameters: Parameters, values: readonly number[]): JudgedTrial[] {
  return values.map((loss, seed) => trial(parameters, seed, { metrics: { loss } }));
}

export function trial(parameters: Parameters, seed: number, change: Partial<JudgedTrial> = {}): JudgedTrial {
  const configId = canonicalJson(parameters);
  return {
    ...{ id: `${configId}/${seed}`, configId, seed, parameters, state: 'succeeded', metrics: {}, curve: [] },
    ...change,
  };
}

/** A trial whose metric `loss` was so over the epochs from 1. */
export function withCurve(parameters: Parameters, seed: number, losses: readonly number[]): JudgedTrial {
  const curve = losses.map((loss, index) => ({ epoch: index + 1, metrics: { loss } }));
  return trial(parameters, seed, { metrics: curve.at(-1)?.metrics ?? {}, curve });
}
