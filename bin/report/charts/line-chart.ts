import { scaleLinear } from 'd3-scale';
import { area, line as lineOf } from 'd3-shape';
import { formatStep } from '../../../lib/text/numbers.ts';
import type { ChartDrawing } from '../document.ts';
import { AREA, HEIGHT, labelsBelow, type ValueScale, valueAxis, WIDTH } from './plot-area.ts';
import { element } from './svg.ts';

export interface EpochPoint {
  readonly epoch: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export interface ChartLine {
  /** The index of the line in the figure's legend. The index sets the color of the line. */
  readonly series: number;
  readonly points: readonly EpochPoint[];
}

/**
 * Draws lines of means over the epochs, each line with its band.
 * @param epochs all epochs of the figure, in order
 */
export function lineChart(
  lines: readonly ChartLine[],
  epochs: readonly number[],
  y: ValueScale,
  metric: string,
): ChartDrawing {
  const [first = 1, last = first] = [epochs[0], epochs.at(-1)];
  const x = scaleLinear([first, last > first ? last : first + 1], [AREA.left + 4, AREA.right - 4]);
  const band = area<EpochPoint>()
    .x(({ epoch }) => x(epoch))
    .y0(({ low }) => y.at(low))
    .y1(({ high }) => y.at(high))
    .digits(1);
  const mean = lineOf<EpochPoint>()
    .x(({ epoch }) => x(epoch))
    .y((point) => y.at(point.mean))
    .digits(1);
  const drawn = lines.map(({ series, points }) => {
    const only = points.length === 1 ? points[0] : undefined;
    if (only !== undefined) {
      return element('circle', { cx: x(only.epoch), cy: y.at(only.mean), r: 3, class: `f${series}` });
    }
    return (
      element('path', { d: band(points) ?? '', class: `band f${series}` }) +
      element('path', { d: mean(points) ?? '', class: `line s${series}` })
    );
  });
  const isWhole = epochs.every(Number.isInteger);
  const marked = x.ticks(6).filter((epoch) => (!isWhole || Number.isInteger(epoch)) && epoch <= last);
  const ticks = marked.map((epoch): [number, string] => [x(epoch), formatStep(epoch)]);
  return {
    width: WIDTH,
    height: HEIGHT,
    content: valueAxis(y, metric) + labelsBelow(ticks, 'epoch') + drawn.join(''),
  };
}
