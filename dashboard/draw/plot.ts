/** Draws curves as braille dots, with the value range on the left and the first and last epoch below. */

import { formatMetric, formatStep } from '../../lib/text/numbers.ts';
import type { Segment } from '../../lib/text/segment.ts';
import { seriesStyle } from '../../lib/text/style.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { columnsOf, pad, truncate } from '../../lib/text/width.ts';
import { BrailleCanvas } from './braille.ts';
import { EMPTY_LINE, type StyledLine, styledLine } from './line.ts';

export interface PlotSeries {
  readonly name: string;
  /** The points by ascending x. Values that are not finite break the line. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

const AXIS = 11;

export const seriesLetter = (series: number): string => 'abcdefghijklmnopqrstuvwxyz'[series % 26] ?? 'a';

/** @param width total columns @param height total lines, including title and axis */
export function plot(title: string, series: readonly PlotSeries[], width: number, height: number): StyledLine[] {
  const heading = styledLine(truncate(visibleText(title), width), 'bold');
  const rows = height - 2;
  const columns = width - AXIS;
  if (rows < 1 || columns < 4) return [heading];
  const finite = series.flatMap(({ points }) => points.filter(([, y]) => Number.isFinite(y)));
  if (finite.length === 0) return [heading, styledLine('no values yet', 'dim'), ...Array(rows).fill(EMPTY_LINE)];
  const [lowX, highX] = rangeOf(finite.map(([x]) => x));
  const [lowY, highY] = rangeOf(finite.map(([, y]) => y));
  const canvas = new BrailleCanvas(columns, rows);
  const xOf = (x: number) => Math.round(share(x, lowX, highX) * (canvas.width - 1));
  const yOf = (y: number) => Math.round((1 - share(y, lowY, highY)) * (canvas.height - 1));
  // The first series is the most important one, so it is drawn on top.
  for (const [s, { points }] of [...series.entries()].reverse()) {
    let before: readonly [number, number] | undefined;
    for (const [x, y] of points) {
      if (!Number.isFinite(y)) {
        before = undefined;
        continue;
      }
      const at = [xOf(x), yOf(y)] as const;
      if (before === undefined) canvas.dot(...at, s);
      else canvas.stroke(...before, ...at, s);
      before = at;
    }
  }
  if (series.length > 1) {
    series.forEach(({ points }, s) => {
      const last = points.findLast(([, y]) => Number.isFinite(y));
      if (last !== undefined) canvas.letter(xOf(last[0]), yOf(last[1]), seriesLetter(s), s);
    });
  }
  const label = (row: number): string => {
    if (row === 0) return formatMetric(highY);
    if (row === rows - 1) return formatMetric(lowY);
    return row === Math.floor((rows - 1) / 2) && rows > 4 ? formatMetric((lowY + highY) / 2) : '';
  };
  const body = Array.from({ length: rows }, (_, row): StyledLine => {
    return { segments: [{ text: `${pad(label(row), AXIS - 1, 'left')}│`, style: 'dim' }, ...canvas.line(row)] };
  });
  const [from, to] = [formatStep(lowX), formatStep(highX)];
  const foot = `${' '.repeat(AXIS)}${from}${' '.repeat(Math.max(1, columns - from.length - to.length))}${to}`;
  return [heading, ...body, styledLine(truncate(foot, width), 'dim')];
}

/** Returns the legend, such as `a latent_dim=15  b latent_dim=30`, wrapped to `width`. */
export function legend(series: readonly PlotSeries[], width: number): StyledLine[] {
  const lines: Segment[][] = [];
  let left = 0;
  series.forEach(({ name }, s) => {
    const text = `${seriesLetter(s)} ${visibleText(name)}  `;
    if (columnsOf(text) > left) {
      lines.push([]);
      left = width;
    }
    lines.at(-1)?.push({ text, style: seriesStyle(s) });
    left -= columnsOf(text);
  });
  return lines.map((segments) => ({ segments }));
}

function rangeOf(values: readonly number[]): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

/** Halves the numbers, so that the range of the largest ones is finite. */
const share = (value: number, low: number, high: number): number =>
  high > low ? (value / 2 - low / 2) / (high / 2 - low / 2) : 0.5;
