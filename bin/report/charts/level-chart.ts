import { scalePoint } from 'd3-scale';
import { line as lineOf } from 'd3-shape';
import type { Drawing } from '../document.ts';
import { AREA, HEIGHT, labelsBelow, type ValueScale, valueAxis, WIDTH } from './plot-area.ts';
import { element, line } from './svg.ts';

export interface LevelPoint {
  readonly label: string;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/**
 * A mean at each value of a parameter, with its whisker. Values stand side by side, whatever lies between them.
 * @param ordered whether a line from one value to the next says something
 */
export function levelChart(
  points: readonly LevelPoint[],
  y: ValueScale,
  names: { readonly metric: string; readonly parameter: string },
  ordered: boolean,
): Drawing {
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
