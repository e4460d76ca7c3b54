/** How many trials a sweep has, exactly, without walking its grid. */
import { type Parameters, trainerSpec } from '../../proto/trainers.ts';
import { cells } from './cells.ts';
import { dimensionsOf, pointCount } from './dimensions.ts';
import { imageOf } from './image.ts';
import { excludedBy, overridesOf, ruleText } from './rules.ts';
import type { SweepSpec } from './spec.ts';

/** The shape of `trawl plan -o json`. */
export interface Plan {
  readonly sweep: string;
  /** configs x replicates. */
  readonly trials: number;
  /** Distinct parameter sets after exclude and when. */
  readonly configs: number;
  readonly replicates: number;
  /** Values of every axis, by name. */
  readonly axes: Readonly<Record<string, number>>;
  /** Points dropped by each exclude rule, in order; a point counts for the first rule that it meets. */
  readonly excluded: readonly { readonly rule: string; readonly count: number }[];
  /** Points left by exclude that came out equal to another one after `when`. */
  readonly duplicates: number;
}

/**
 * Exact counts in time that depends on the rules, not on the grid: values that no rule names are counted as one class.
 * @throws {BadInputError} past MAX_GRID_POINTS or MAX_PLAN_CELLS.
 */
export function plan(spec: SweepSpec): Plan {
  const dimensions = dimensionsOf(spec);
  const points = pointCount(dimensions, spec.seeds.length);
  const excluded = spec.exclude.map(() => 0);
  const configs = new Map<string, number>();
  const fallback = defaultsOf(spec);
  let kept = 0;
  for (const cell of cells(spec, dimensions, points)) {
    const rule = excludedBy(spec.exclude, cell.point);
    if (rule >= 0) {
      excluded[rule] = (excluded[rule] ?? 0) + cell.count;
    } else {
      kept += cell.count;
      if (spec.when.length === 0) continue;
      const image = imageOf(cell, overridesOf(spec.when, cell.point), fallback);
      configs.set(image.key, image.count);
    }
  }
  // Points are distinct by themselves: only `when` makes some of them equal.
  const distinct = spec.when.length === 0 ? kept : [...configs.values()].reduce((sum, count) => sum + count, 0);
  return {
    sweep: spec.name,
    trials: distinct * spec.seeds.length,
    configs: distinct,
    replicates: spec.seeds.length,
    axes: Object.fromEntries(spec.axes.map(({ name, size }) => [name, size])),
    excluded: spec.exclude.map(({ conditions }, rule) => ({ rule: ruleText(conditions), count: excluded[rule] ?? 0 })),
    duplicates: kept - distinct,
  };
}

/** What a parameter set by `when`, but no axis of the sweep, is elsewhere. */
function defaultsOf(spec: SweepSpec): Parameters {
  const known = trainerSpec(spec.trainer)?.parameters ?? {};
  const names = new Set(spec.when.flatMap(({ set }) => Object.keys(set)));
  for (const { name } of spec.axes) names.delete(name);
  return Object.fromEntries(
    [...names].flatMap((name) => {
      const parameter = known[name];
      return parameter === undefined ? [] : [[name, parameter.default]];
    }),
  );
}
