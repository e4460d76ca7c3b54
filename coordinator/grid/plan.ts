/**
 * Counts the trials of a sweep exactly, without enumerating its grid. The grid is divided into cells. A cell is a set
 * of points to which every rule applies in the same way. For each dimension, each value that a rule names forms a
 * class, and all other values form one class. A cell combines one class of each dimension. Dimensions that no rule
 * names are not divided, and only multiply the counts.
 */
import { BadInputError } from '../../proto/errors.ts';
import { type Parameters, type ParameterValue, TRAINERS, type TrainerSpec } from '../../proto/trainers.ts';
import type { SourceState } from '../search/trial-source.ts';
import type { Axis } from './axes.ts';
import {
  type Class,
  classesOf,
  digitsOf,
  dimensionsOf,
  effectOf,
  type GridPoint,
  pointCount,
  type Rules,
  ruleText,
} from './points.ts';
import { isDrawn, type SweepSpec, trialLimit } from './spec.ts';
import { allSteps } from './trials.ts';

/** The maximum number of cells of a plan. A plan with this many cells takes about half a second. */
const MAX_PLAN_CELLS = 250_000;

/**
 * The maximum number of configs that a plan draws in order to count them. Drawing this many configs takes about half a
 * second.
 */
const MAX_DRAWN_CONFIGS = 20_000;

/**
 * The maximum number of trials of a sweep with adaptive replicates. Each look at the results reads all trials of the
 * sweep, which takes about a second at this limit.
 */
const MAX_ADAPTIVE_TRIALS = 10_000;

export interface Plan {
  readonly sweep: string;
  /** The number of trials: configs x replicates, or run_cap if run_cap is less. */
  readonly trials: number;
  /**
   * Whether `trials` is only an upper bound. A search can run out of new configs before it reaches its limit. Adaptive
   * replicates are no longer added once everything is decided.
   */
  readonly isBound: boolean;
  /** The number of distinct parameter sets after `exclude` and `when`. */
  readonly configs: number;
  readonly replicates: number;
  /**
   * The number of points before `exclude` is applied: all points of the grid, or the points that were drawn for a
   * search. 0 if no points were drawn.
   */
  readonly points: number;
  /** The number of values of each axis, by name. Empty for a search. */
  readonly axes: Readonly<Record<string, number>>;
  /**
   * The number of points that each `exclude` rule drops, in the order of the rules. A point counts for the first rule
   * that it matches.
   */
  readonly excluded: readonly { readonly rule: string; readonly count: number }[];
  /** The number of points that `exclude` keeps, but that equal an earlier point after `when` is applied. */
  readonly duplicates: number;
}

/**
 * Counts the trials of a sweep. The time that this takes depends on the rules, not on the size of the grid. For a
 * search whose points do not depend on results, up to MAX_DRAWN_CONFIGS configs are drawn to count them.
 * @throws {BadInputError} if the sweep exceeds MAX_GRID_POINTS, MAX_PLAN_CELLS or MAX_ADAPTIVE_TRIALS
 */
export function plan(spec: SweepSpec): Plan {
  return isDrawn(spec.search) ? drawnPlan(spec) : planWithoutDrawing(spec);
}

/** Returns a plan without drawing points. The counts of a search are therefore only upper bounds. */
export function planWithoutDrawing(spec: SweepSpec): Plan {
  return spec.search === undefined ? gridPlan(spec) : searchPlan(spec);
}

/** The maximum number of configs that are drawn at a submission. Drawing this many configs takes about 25 ms. */
const MAX_SUBMITTED_CONFIGS = 1_000;

/**
 * Returns the plan of a sweep at its submission. Configs are drawn only for a short search whose points do not depend
 * on results. The excluded points of a search are counted while the search runs.
 */
export function submittedPlan(spec: SweepSpec): Plan {
  const bound = planWithoutDrawing(spec);
  if (!isDrawn(spec.search) || bound.configs > MAX_SUBMITTED_CONFIGS) return bound;
  const { trials, configs, isBound } = drawnPlan(spec);
  return { ...bound, trials, configs, isBound };
}

/**
 * Returns the plan of a search whose points do not depend on results. The points are drawn if the search has at most
 * MAX_DRAWN_CONFIGS configs.
 */
function drawnPlan(spec: SweepSpec): Plan {
  const bound = searchPlan(spec);
  if (bound.configs > MAX_DRAWN_CONFIGS) return bound;
  const configs = new Set<string>();
  let last: SourceState | undefined;
  for (const step of allSteps(spec)) {
    last = step.state;
    if (step.kind === 'trial') configs.add(step.trial.configId);
  }
  const excluded = spec.exclude.map(({ conditions }, rule) => {
    return { rule: ruleText(conditions), count: last?.excluded[rule] ?? 0 };
  });
  return {
    ...bound,
    trials: last?.created ?? 0,
    isBound: false,
    configs: configs.size,
    points: last?.points ?? 0,
    excluded,
    duplicates: last?.duplicates ?? 0,
  };
}

/**
 * Returns the plan of a search without drawing its points. The number of trials is run_cap or its default, because a
 * search replaces each point that a rule drops.
 */
function searchPlan(spec: SweepSpec): Plan {
  const trials = trialLimit(spec);
  return {
    sweep: spec.name,
    trials,
    isBound: true,
    configs: Math.ceil(trials / spec.seeds.length),
    replicates: spec.seeds.length,
    points: 0,
    axes: {},
    excluded: [],
    duplicates: 0,
  };
}

function gridPlan(spec: SweepSpec): Plan {
  const excluded = spec.exclude.map(() => 0);
  const configs = new Map<string, number>();
  const defaults = defaultsOf(spec);
  let kept = 0;
  for (const cell of cells(spec)) {
    const effect = effectOf(spec, cell.point);
    if ('excludedBy' in effect) {
      excluded[effect.excludedBy] = (excluded[effect.excludedBy] ?? 0) + cell.count;
    } else {
      kept += cell.count;
      if (spec.when.length === 0) continue;
      const { key, count } = configsOf(cell, effect.overrides, defaults);
      configs.set(key, count);
    }
  }
  const distinct = spec.when.length === 0 ? kept : [...configs.values()].reduce((sum, count) => sum + count, 0);
  const all = distinct * spec.seeds.length;
  if (spec.adaptiveReplicates !== undefined && all > MAX_ADAPTIVE_TRIALS) {
    throw new BadInputError(
      `replicates: ${distinct.toLocaleString('en')} configs with up to ${spec.seeds.length} replicates are ` +
        `${all.toLocaleString('en')} trials (max ${MAX_ADAPTIVE_TRIALS.toLocaleString('en')} with until: decided)`,
    );
  }
  const trials = Math.min(all, trialLimit(spec));
  return {
    sweep: spec.name,
    trials,
    isBound: spec.adaptiveReplicates !== undefined,
    configs: trials === all ? distinct : Math.ceil(trials / spec.seeds.length),
    replicates: spec.seeds.length,
    points: excluded.reduce((sum, count) => sum + count, kept),
    axes: Object.fromEntries(spec.axes.map(({ name, size }) => [name, size])),
    excluded: spec.exclude.map(({ conditions }, rule) => ({ rule: ruleText(conditions), count: excluded[rule] ?? 0 })),
    duplicates: kept - distinct,
  };
}

function defaultsOf(spec: SweepSpec): Parameters {
  const trainer: TrainerSpec = TRAINERS[spec.trainer];
  const names = new Set(spec.when.flatMap(({ set }) => Object.keys(set)));
  for (const { name } of spec.axes) names.delete(name);
  return Object.fromEntries(
    [...names].flatMap((name) => {
      const parameter = Object.hasOwn(trainer.parameters, name) ? trainer.parameters[name] : undefined;
      return parameter === undefined ? [] : [[name, parameter.default]];
    }),
  );
}

interface Cell {
  /** The number of points in the cell. */
  readonly count: number;
  /**
   * The parameter values of the cell in each divided dimension for which the cell has a class of a single row (see
   * `Class`). The parameters of all other dimensions are absent.
   */
  readonly point: GridPoint;
  /** The divided dimensions, each with the number of values that the cell covers in the dimension. */
  readonly sides: readonly { readonly axes: readonly Axis[]; readonly count: number }[];
}

/** Exists only for the type checker: each digit is always a valid index into the classes of its dimension. */
const NO_CLASS: Class = { row: undefined, count: 0 };

function* cells(spec: SweepSpec): Generator<Cell> {
  const named = namedValues(spec);
  const targets = new Set(spec.when.flatMap(({ set }) => Object.keys(set)));
  const dimensions = dimensionsOf(spec);
  const points = pointCount(dimensions, spec.seeds.length);
  const divided = dimensions
    .filter(({ axes }) => axes.some(({ name }) => named.has(name)))
    .map((dimension) => ({ dimension, classes: classesOf(dimension, named, targets) }));
  const sizes = divided.map(({ classes }) => classes.length);
  const total = sizes.reduce((product, size) => product * size, 1);
  if (total > MAX_PLAN_CELLS) {
    throw new BadInputError(
      `"exclude" and "when" name too many values: the plan has ${total.toLocaleString('en')} cases ` +
        `(max ${MAX_PLAN_CELLS.toLocaleString('en')}); name fewer values in the rules`,
    );
  }
  const undivided = points / divided.reduce((product, { dimension }) => product * dimension.size, 1);
  for (let index = 0; index < total; index++) {
    const point: Record<string, ParameterValue> = Object.create(null);
    let count = undivided;
    const digits = digitsOf(sizes, index);
    const sides = divided.map(({ dimension: { axes }, classes }, position) => {
      const { row, count: covered } = classes[digits[position] ?? 0] ?? NO_CLASS;
      if (row !== undefined) for (const axis of axes) point[axis.name] = axis.at(row);
      count *= covered;
      return { axes, count: covered };
    });
    yield { count, point, sides };
  }
}

function namedValues({ exclude, when }: Rules): Map<string, Set<ParameterValue>> {
  const named = new Map<string, Set<ParameterValue>>();
  const add = (name: string, value: ParameterValue) => {
    const values = named.get(name) ?? new Set();
    named.set(name, values.add(value));
  };
  for (const { conditions } of [...exclude, ...when]) {
    for (const { name, anyOf } of conditions) for (const value of anyOf) add(name, value);
  }
  for (const { set } of when) for (const [name, value] of Object.entries(set)) add(name, value);
  return named;
}

/**
 * Returns the number of configs in a cell, and a key that identifies them. Two cells have either equal keys or no
 * common config.
 */
function configsOf(cell: Cell, overrides: Parameters, defaults: Parameters): { key: string; count: number } {
  let count = cell.count;
  for (const { axes, count: covered } of cell.sides) {
    if (axes.every(({ name }) => Object.hasOwn(overrides, name))) count /= covered;
  }
  // A value is wrapped in a list, so that the value null differs from a missing value.
  const keyed = (value: ParameterValue | undefined) => (value === undefined ? null : [value]);
  const onAxes = cell.sides.flatMap(({ axes }) => axes.map(({ name }) => keyed(overrides[name] ?? cell.point[name])));
  const others = Object.keys(defaults).map((name) => keyed(overrides[name] ?? defaults[name]));
  return { key: JSON.stringify([onAxes, others]), count };
}
