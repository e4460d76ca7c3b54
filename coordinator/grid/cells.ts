/**
 * The grid cut into cells: boxes of points that every rule treats alike. Each value that a rule names is a class of its
 * own, all others of a dimension are one class, and a cell is one class of every dimension. Dimensions that no rule
 * names are not cut; they only multiply.
 */
import { BadInputError } from '../../proto/errors.ts';
import type { ParameterValue } from '../../proto/trainers.ts';
import type { Axis } from './axes.ts';
import type { Dimension } from './dimensions.ts';
import { digitsOf } from './radix.ts';
import type { Point } from './rules.ts';
import type { SweepSpec } from './spec.ts';

/** The most cells that a plan counts (about half a second). A grid of fewer points never has more cells. */
export const MAX_PLAN_CELLS = 250_000;

export interface Cell {
  /** Points in the cell. */
  readonly count: number;
  /** The values that rules name; a parameter whose class is "all others" is absent. */
  readonly point: Point;
  /** The cut dimensions, each with the points of it that the cell covers. */
  readonly sides: readonly { readonly axes: readonly Axis[]; readonly count: number }[];
}

type Rules = Pick<SweepSpec, 'exclude' | 'when'>;

/** @throws {BadInputError} past MAX_PLAN_CELLS. */
export function* cells(rules: Rules, dimensions: readonly Dimension[], points: number): Generator<Cell> {
  const named = namedValues(rules);
  const targets = new Set(rules.when.flatMap(({ set }) => Object.keys(set)));
  const cut = dimensions
    .filter(({ axes }) => axes.some(({ name }) => named.has(name)))
    .map((dimension) => ({ dimension, classes: classesOf(dimension, named, targets) }));
  const sizes = cut.map(({ classes }) => classes.length);
  const total = sizes.reduce((product, size) => product * size, 1);
  if (total > MAX_PLAN_CELLS) {
    throw new BadInputError(
      `exclude and when name so many values that the plan would have ${total.toLocaleString('en')} cases to count, ` +
        `more than ${MAX_PLAN_CELLS.toLocaleString('en')}; name fewer values in them`,
    );
  }
  const uncut = points / cut.reduce((product, { dimension }) => product * dimension.size, 1);
  for (let index = 0; index < total; index++) {
    const point: Record<string, ParameterValue> = {};
    let count = uncut;
    const digits = digitsOf(sizes, index);
    const sides = cut.map(({ dimension: { axes }, classes }, position) => {
      const { row, count: covered } = classes[digits[position] ?? 0] ?? NOTHING;
      if (row !== undefined) for (const axis of axes) point[axis.name] = axis.at(row);
      count *= covered;
      return { axes, count: covered };
    });
    yield { count, point, sides };
  }
}

/** One index of a dimension that a rule names, or (no row) all that none does. */
interface Class {
  readonly row: number | undefined;
  readonly count: number;
}

/** Never met: every digit is below its dimension's number of classes. */
const NOTHING: Class = { row: undefined, count: 0 };

function classesOf({ axes, size }: Dimension, named: ReadonlyMap<string, Set<ParameterValue>>, targets: Set<string>) {
  // When part of a zipped row is overwritten, rows that share the other part may come out equal: none is "all others".
  const apart = axes.some(({ repeats }) => repeats) && axes.some(({ name }) => targets.has(name));
  const rows = new Set<number>(apart ? indexes(size) : axes.flatMap((axis) => rowsOf(axis, named.get(axis.name))));
  const classes: Class[] = [...rows].map((row) => ({ row, count: 1 }));
  if (rows.size < size) classes.push({ row: undefined, count: size - rows.size });
  return classes;
}

function rowsOf(axis: Axis, values: ReadonlySet<ParameterValue> | undefined): number[] {
  if (values === undefined) return [];
  if (axis.repeats) return indexes(axis.size).filter((index) => values.has(axis.at(index)));
  return [...values].map((value) => axis.indexOf(value)).filter((index) => index >= 0);
}

function indexes(size: number): number[] {
  return Array.from({ length: size }, (_, index) => index);
}

/** Every value that a condition or a set names, by parameter. */
function namedValues({ exclude, when }: Rules): Map<string, Set<ParameterValue>> {
  const named = new Map<string, Set<ParameterValue>>();
  const note = (name: string, value: ParameterValue) => {
    const values = named.get(name) ?? new Set();
    named.set(name, values.add(value));
  };
  for (const { conditions } of [...exclude, ...when]) {
    for (const { name, anyOf } of conditions) for (const value of anyOf) note(name, value);
  }
  for (const { set } of when) for (const [name, value] of Object.entries(set)) note(name, value);
  return named;
}
