/** What `when` makes of a cell. */
import type { Parameters } from '../../proto/trainers.ts';
import type { Cell } from './cells.ts';

/** The configs that a cell's points become. Two cells become either the same configs (one key) or none in common. */
export interface Image {
  readonly key: string;
  /** Distinct configs. */
  readonly count: number;
}

/**
 * @param overrides what `when` sets on the cell's points
 * @param fallback the values, where nothing sets them, of parameters that are set somewhere but are no axis
 */
export function imageOf(cell: Cell, overrides: Parameters, fallback: Parameters): Image {
  let count = cell.count;
  for (const { axes, count: covered } of cell.sides) {
    // Overwritten whole, the side's points are one; in part, the rest still tells them apart.
    if (axes.every(({ name }) => Object.hasOwn(overrides, name))) count /= covered;
  }
  const onAxes = cell.sides.flatMap(({ axes }) => axes.map(({ name }) => overrides[name] ?? cell.point[name] ?? null));
  const besides = Object.keys(fallback).map((name) => overrides[name] ?? fallback[name] ?? null);
  return { key: JSON.stringify([onAxes, besides]), count };
}
