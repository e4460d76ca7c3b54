/** Draws the parts that several charts share: the plot area and its axes. */
import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from 'd3-scale';
import { clipped, line, text } from './svg.ts';

export const WIDTH = 340;
export const HEIGHT = 220;
export const AREA = { left: 52, right: WIDTH - 10, top: 24, bottom: HEIGHT - 36 } as const;

const LOG_FROM_RATIO = 50;
/** A scale is logarithmic only if all values are above this value, because the ticks of smaller values underflow. */
const SMALLEST_LOGGED = 1e-250;
const TICKS = 5;

export interface ValueScale {
  readonly at: (value: number) => number;
  readonly log: boolean;
  readonly ticks: readonly (readonly [value: number, label: string])[];
}

/**
 * Returns a scale that maps finite values to heights in the plot area. The scale is logarithmic if all values are
 * positive and the largest value is at least LOG_FROM_RATIO times the smallest.
 */
export function valueScale(values: Iterable<number>): ValueScale {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) [low, high] = [0, 1];
  if (high - low <= Math.max(Math.abs(low), Math.abs(high)) * 1e-9 + 1e-100)
    [low, high] = [low - Math.abs(low) * 0.1 - 1e-9, high + Math.abs(high) * 0.1 + 1e-9];
  const log = low > SMALLEST_LOGGED && high / low >= LOG_FROM_RATIO;
  const scale: ScaleContinuousNumeric<number, number> = log ? scaleLog() : scaleLinear();
  scale.domain([low, high]).range([AREA.bottom, AREA.top]).nice(TICKS);
  const format = scale.tickFormat(TICKS);
  const ticks = scale.ticks(TICKS).flatMap((value): [number, string][] => {
    const label = format(value);
    return label === '' ? [] : [[value, label]];
  });
  return { at: (value) => scale(value), log, ticks };
}

/** Draws the grid lines and labels of the values, with the axis title above. */
export function valueAxis(scale: ValueScale, name: string): string {
  const rows = scale.ticks.map(([value, label]) => {
    const y = scale.at(value);
    return line(AREA.left, y, AREA.right, y, 'grid') + text(AREA.left - 5, y + 3.5, label, { 'text-anchor': 'end' });
  });
  const title = `${clipped(name, 44)}${scale.log ? ' (log scale)' : ''}`;
  return `${rows.join('')}${text(2, 11, title)}`;
}

/** Returns the number of tick labels that fit below the plot area. */
export function roomBelow(labels: readonly string[]): number {
  const widest = Math.max(1, ...labels.map((label) => Math.min(label.length, MOST_CHARACTERS)));
  return Math.max(2, Math.floor((AREA.right - AREA.left) / (widest * CHARACTER_WIDTH + 8)));
}

/** Draws the horizontal axis with its name and with as many tick labels as fit. */
export function labelsBelow(labels: readonly (readonly [x: number, label: string])[], name: string): string {
  const every = Math.ceil(labels.length / roomBelow(labels.map(([, label]) => label)));
  const ticks = labels.flatMap(([x, label], i) =>
    i % every === 0 ? text(x, AREA.bottom + 15, clipped(label, MOST_CHARACTERS), { 'text-anchor': 'middle' }) : [],
  );
  const middle = (AREA.left + AREA.right) / 2;
  const base = line(AREA.left, AREA.bottom, AREA.right, AREA.bottom, 'axis');
  return base + ticks.join('') + text(middle, HEIGHT - 5, clipped(name, 44), { 'text-anchor': 'middle' });
}

const CHARACTER_WIDTH = 6;
const MOST_CHARACTERS = 16;
