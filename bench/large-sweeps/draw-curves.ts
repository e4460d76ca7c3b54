/** Draws costs as functions of a count, such as the number of points of a sweep. */
import { scaleLog } from 'd3-scale';
import { line as lineOf } from 'd3-shape';
import { AREA, HEIGHT, labelsBelow, valueAxis, valueScale, WIDTH } from '../../bin/report/charts/plot-area.ts';
import { element, figureSvg } from '../../bin/report/charts/svg.ts';

export interface CostCurve {
  readonly title: string;
  readonly unit: string;
  /** The cost for each count. */
  readonly costs: readonly number[];
}

/**
 * Returns an SVG figure with one panel per cost. The value axes start at 0.
 * @param counted what the horizontal axis counts, such as `points of a sweep`
 */
export function drawCurves(counts: readonly number[], curves: readonly CostCurve[], counted: string): string {
  const [first = 1, last = 10] = [counts[0], counts.at(-1)];
  // The label of the last count is centered below its point, and needs room on the right.
  const x = scaleLog([first, last], [AREA.left + 4, AREA.right - 14]);
  const ticks = counts.map((count): [number, string] => [x(count), labelOf(count)]);
  return figureSvg({
    title: `Costs over the number of ${counted}`,
    caption: '',
    legend: [],
    scrolls: false,
    table: undefined,
    panels: curves.map(({ title, unit, costs }) => {
      const y = valueScale([0, ...costs.map((cost) => cost * 1.2)]);
      const path = lineOf<number>()
        .x((_, at) => x(counts[at] ?? first))
        .y((cost) => y.at(cost))
        .digits(1);
      const drawn = element('path', { d: path(costs) ?? '', class: 'line s0' });
      const content = valueAxis(y, unit) + labelsBelow(ticks, counted) + drawn;
      return {
        title,
        alt: `${title}: ${costs.map((cost) => cost.toFixed(1)).join(', ')}`,
        drawing: { width: WIDTH, height: HEIGHT, content },
      };
    }),
  });
}

function labelOf(count: number): string {
  const power = Math.log10(count);
  return count >= 1e4 && Number.isInteger(power) ? `10^${power}` : `${count}`;
}
