/** Draws the costs of a sweep over the number of its points. */
import { scaleLog } from 'd3-scale';
import { line as lineOf } from 'd3-shape';
import { AREA, HEIGHT, labelsBelow, valueAxis, valueScale, WIDTH } from '../../bin/report/charts/plot-area.ts';
import { element, figureSvg } from '../../bin/report/charts/svg.ts';

export interface CostCurve {
  readonly title: string;
  readonly unit: string;
  /** The cost for each number of points. */
  readonly costs: readonly number[];
}

/** Returns an SVG figure with one panel per cost. The value axes start at 0. */
export function drawCurves(points: readonly number[], curves: readonly CostCurve[]): string {
  const [first = 1, last = 10] = [points[0], points.at(-1)];
  const x = scaleLog([first, last], [AREA.left + 4, AREA.right - 4]);
  const ticks = points.map((count): [number, string] => [x(count), `10^${Math.round(Math.log10(count))}`]);
  return figureSvg({
    title: 'Costs of a sweep over the number of its points',
    caption: '',
    legend: [],
    scrolls: false,
    table: undefined,
    panels: curves.map(({ title, unit, costs }) => {
      const y = valueScale([0, ...costs.map((cost) => cost * 1.2)]);
      const path = lineOf<number>()
        .x((_, at) => x(points[at] ?? first))
        .y((cost) => y.at(cost))
        .digits(1);
      const drawn = element('path', { d: path(costs) ?? '', class: 'line s0' });
      const content = valueAxis(y, unit) + labelsBelow(ticks, 'points of the sweep') + drawn;
      return {
        title,
        alt: `${title}: ${costs.map((cost) => cost.toFixed(1)).join(', ')}`,
        drawing: { width: WIDTH, height: HEIGHT, content },
      };
    }),
  });
}
