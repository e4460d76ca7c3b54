/** Finds the last epoch of the longest trial of a sweep. */
import { max } from 'd3-array';
import { EPOCH_PARAMETERS, epochsOf } from '../../proto/trainers.ts';
import type { ParameterValue } from '../../proto/values.ts';
import type { Distribution } from '../search/distribution.ts';
import { type Axis, MAX_LISTED_VALUES } from './axes.ts';
import type { SweepSpec } from './spec.ts';

/**
 * Returns the index of the last epoch of the longest trial, as `epochsOf` does for one trial. Undefined if the number
 * of epochs is not known or has no limit.
 * @param space the distributions of a search; empty for a grid
 */
export function longestTraining(
  { trainer, axes, when }: Pick<SweepSpec, 'trainer' | 'axes' | 'when'>,
  space: ReadonlyMap<string, Distribution>,
): number | undefined {
  const largest: Record<string, ParameterValue> = {};
  for (const name of EPOCH_PARAMETERS) {
    const axis = axes.find((one) => one.name === name);
    const distribution = space.get(name);
    const set = when.flatMap((rule) => rule.set[name] ?? []);
    const values = [...set, ...(axis === undefined ? [] : endsOf(axis))];
    if (distribution !== undefined) {
      const limit = largestOf(distribution);
      if (limit === undefined) return undefined;
      values.push(limit);
    }
    if (values.length === 0) continue;
    const isDefault = axis === undefined && distribution === undefined;
    const fallback = isDefault ? epochsOf(trainer, {}) : undefined;
    const most = max([...values, ...(fallback === undefined ? [] : [fallback])], Number);
    if (most === undefined || !Number.isFinite(most)) return undefined;
    largest[name] = most;
  }
  return epochsOf(trainer, largest);
}

/**
 * Returns all values of a short axis. The values of a long axis always ascend, so only its first and last values are
 * returned.
 */
function endsOf(axis: Axis): ParameterValue[] {
  if (axis.size > MAX_LISTED_VALUES) return [axis.at(0), axis.at(axis.size - 1)];
  return Array.from({ length: axis.size }, (_, index) => axis.at(index));
}

/** Returns the largest number that a distribution can yield. Undefined if there is no such number. */
function largestOf(distribution: Distribution): number | undefined {
  if (distribution.kind === 'constant') return typeof distribution.value === 'number' ? distribution.value : undefined;
  if (distribution.kind === 'categorical') return max(distribution.values, Number);
  return 'max' in distribution ? distribution.max : undefined;
}
