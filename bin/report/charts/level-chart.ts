import { scalePoint } from 'd3-scale';
import { line as lineOf } from 'd3-shape';
import type { ChartDrawing } from '../document.ts';
import { AREA, HEIGHT, labelsBelow, type ValueScale, valueAxis, WIDTH } from './plot-area.ts';
import { clipped, element, line, text } from './svg.ts';

export interface LevelPoint {
  readonly label: string;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Draws the mean at each value of a parameter, with a line from `low` to `high`. The chart places the values at equal
 * distances.
 * @param ordered whether the values have an order; a line then connects the means
 */
export function levelChart(
  points: readonly LevelPoint[],
  y: ValueScale,
  names: { readonly metric: string; readonly parameter: string },
  ordered: boolean,
): ChartDrawing {
  const places = points.map((_, i) => i);
  const x = scalePoint(places, [AREA.left + 6, AREA.right - 6]).padding(0.5);
  const at = (i: number) => x(i) ?? AREA.left;
  const path = lineOf<LevelPoint>()
    .x((_, i) => at(i))
    .y(({ mean }) => y.at(mean))
    .digits(1);
  const marks = points.map(
    ({ mean, low, high }, i) =>
      line(at(i), y.at(low), at(i), y.at(high), 'whisker s0') +
      element('circle', { cx: at(i), cy: y.at(mean), r: 3.5, class: 'f0' }),
  );
  const ticks = points.map(({ label }, i): [number, string] => [at(i), label]);
  const joined = ordered ? element('path', { d: path(points) ?? '', class: 'plain s0' }) : '';
  return {
    width: WIDTH,
    height: HEIGHT,
    content: valueAxis(y, names.metric) + labelsBelow(ticks, names.parameter) + joined + marks.join(''),
  };
}

const TOP = 20;
const ROW = 24;
const LEFT = 132;
const MOST_CHARACTERS = 18;

/**
 * Draws the mean at each value of a parameter, with a line from `low` to `high`, in one row per value. Suitable for
 * labels that are too long to fit side by side.
 */
export function levelRows(points: readonly LevelPoint[], scale: ValueScale, metric: string): ChartDrawing {
  const stretch = (WIDTH - 20 - LEFT) / (AREA.bottom - AREA.top);
  const x = (value: number) => LEFT + (AREA.bottom - scale.at(value)) * stretch;
  const bottom = TOP + points.length * ROW;
  const grid = scale.ticks.map(([value, label], i) => {
    const tick = i % 2 === 0 ? text(x(value), bottom + 15, label, { 'text-anchor': 'middle' }) : '';
    return line(x(value), TOP, x(value), bottom, 'grid') + tick;
  });
  const rows = points.map(({ label, mean, low, high }, i) => {
    const y = TOP + (i + 0.5) * ROW;
    return (
      text(LEFT - 10, y + 3.5, clipped(label, MOST_CHARACTERS), { 'text-anchor': 'end' }) +
      line(x(low), y, x(high), y, 'whisker s0') +
      element('circle', { cx: x(mean), cy: y, r: 3.5, class: 'f0' })
    );
  });
  const name = text(2, 11, `${clipped(metric, 44)}${scale.log ? ' (log scale)' : ''}`);
  return { width: WIDTH, height: bottom + 22, content: grid.join('') + rows.join('') + name };
}
