/** Decides whether a trial belongs to a grid, without enumerating the grid. */
import {
  type Parameters,
  type ParameterValue,
  TRAINERS,
  type TrainerSpec,
  withDefaults,
} from '../../proto/trainers.ts';
import type { Axis } from '../grid/axes.ts';
import { type Dimension, digitsOf, dimensionsOf, effectOf } from '../grid/points.ts';
import type { SweepSpec } from '../grid/spec.ts';

/**
 * The seed and the parameters of a trial. The parameters include the values that `when` sets and the trainer's
 * defaults.
 */
export interface TrialPoint {
  readonly parameters: Parameters;
  readonly seed: number;
}

/**
 * Returns a function that decides whether a trial belongs to the grid of a spec, ignoring run_cap. The time that the
 * returned function takes depends on the rules and on the length of zipped lists, not on the size of the grid.
 */
export function gridContains(spec: SweepSpec): (trial: TrialPoint) => boolean {
  const trainer: TrainerSpec = TRAINERS[spec.trainer];
  const dimensions = dimensionsOf(spec);
  const set = new Set(spec.when.flatMap(({ set: values }) => Object.keys(values)));
  const named = conditionValues(spec);
  const seeds = new Set(spec.seeds);
  return ({ parameters, seed }) => {
    if (!seeds.has(seed)) return false;
    const wanted = withDefaults(trainer, parameters);
    const rows = dimensions.map((dimension) => candidateRows(dimension, wanted, set, named));
    const sizes = rows.map(({ length }) => length);
    const combinations = sizes.reduce((product, size) => product * size, 1);
    for (let index = 0; index < combinations; index++) {
      const digits = digitsOf(sizes, index);
      const point: Record<string, ParameterValue> = Object.create(null);
      for (const [position, { axes }] of dimensions.entries()) {
        const row = rows[position]?.[digits[position] ?? 0] ?? 0;
        for (const axis of axes) point[axis.name] = axis.at(row);
      }
      const effect = effectOf(spec, point);
      if ('excludedBy' in effect) continue;
      if (areEqual(withDefaults(trainer, { ...point, ...effect.overrides }), wanted)) return true;
    }
    return false;
  };
}

/**
 * Returns the rows of a dimension that can produce the wanted parameters. If a `when` rule sets a parameter, the row
 * can contain any value from the parameter's axis. Only one of the values that no rule names is tried, because the
 * rules treat all these values alike.
 */
function candidateRows(
  { axes, size }: Dimension,
  wanted: Parameters,
  set: ReadonlySet<string>,
  named: ReadonlyMap<string, ReadonlySet<ParameterValue>>,
): number[] {
  const [axis, other] = axes;
  if (axis === undefined) return [];
  if (other === undefined) return rowsOfAxis(axis, wanted[axis.name], set.has(axis.name), named.get(axis.name));
  const rows = new Map<string, number>();
  for (let row = 0; row < size; row++) {
    if (axes.some(({ name, at }) => !set.has(name) && at(row) !== wanted[name])) continue;
    const kinds = axes.map(({ name, at }) => {
      const value = at(row);
      return value === wanted[name] || named.get(name)?.has(value) ? row : -1;
    });
    const key = kinds.join();
    if (!rows.has(key)) rows.set(key, row);
  }
  return [...rows.values()];
}

function rowsOfAxis(
  axis: Axis,
  wanted: ParameterValue | undefined,
  isSet: boolean,
  named: ReadonlySet<ParameterValue> = new Set(),
): number[] {
  const own = wanted === undefined ? -1 : axis.indexOf(wanted);
  if (!isSet) return own < 0 ? [] : [own];
  const rows = new Set([own, ...[...named].map((value) => axis.indexOf(value))].filter((row) => row >= 0));
  let unnamed = 0;
  while (rows.has(unnamed)) unnamed += 1;
  if (unnamed < axis.size) rows.add(unnamed);
  return [...rows];
}

/** Returns, for each parameter, the values that occur in the conditions of the rules. */
function conditionValues({ exclude, when }: Pick<SweepSpec, 'exclude' | 'when'>): Map<string, Set<ParameterValue>> {
  const named = new Map<string, Set<ParameterValue>>();
  for (const { conditions } of [...exclude, ...when]) {
    for (const { name, anyOf } of conditions) {
      const values = named.get(name) ?? new Set();
      for (const value of anyOf) values.add(value);
      named.set(name, values);
    }
  }
  return named;
}

function areEqual(one: Parameters, other: Parameters): boolean {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}
