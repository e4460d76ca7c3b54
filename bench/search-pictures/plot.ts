/** Draws the parts that all pictures share: axes, marks, and the colors of losses. */
import { scaleLinear, scaleLog } from 'd3-scale';
import { element, line, type SvgAttributes, text } from '../../bin/report/charts/svg.ts';

export interface PlotSize {
  readonly width: number;
  readonly height: number;
}

export interface PlotAxis {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
  readonly name: string;
}

export type Point = readonly [x: number, y: number];

const MARGIN = { left: 50, right: 14, top: 34, bottom: 40 };

/** Returns the horizontal axis of a plot with the given limits. */
export function horizontal(
  size: PlotSize,
  limits: Point,
  ticks: readonly number[],
  name: string,
  scale: 'log' | 'linear',
): PlotAxis {
  const at = (scale === 'log' ? scaleLog() : scaleLinear())
    .domain(limits)
    .range([MARGIN.left + 10, size.width - MARGIN.right - 10]);
  return { at: (value) => at(value), ticks, name };
}

/** Returns the vertical axis of a plot, which is logarithmic. Values outside the limits are drawn at the limits. */
export function vertical(size: PlotSize, limits: Point, ticks: readonly number[], name: string): PlotAxis {
  const at = scaleLog(limits, [size.height - MARGIN.bottom - 8, MARGIN.top + 6]).clamp(true);
  return { at: (value) => at(value), ticks: ticks.filter((tick) => tick >= limits[0] && tick <= limits[1]), name };
}

/** Draws the grid lines, tick labels and names of both axes. */
export function axes({ width, height }: PlotSize, x: PlotAxis, y: PlotAxis): string {
  const [left, right, top, bottom] = [MARGIN.left, width - MARGIN.right, MARGIN.top, height - MARGIN.bottom];
  const rows = y.ticks.map(
    (tick) =>
      line(left, y.at(tick), right, y.at(tick), 'grid') +
      text(left - 6, y.at(tick) + 4, `${tick}`, { 'text-anchor': 'end' }),
  );
  const columns = x.ticks.map((tick) => text(x.at(tick), bottom + 16, `${tick}`, { 'text-anchor': 'middle' }));
  const name = text((left + right) / 2, height - 6, x.name, { 'text-anchor': 'middle' });
  return [
    ...rows,
    line(left, bottom, right, bottom, 'axis'),
    ...columns,
    name,
    text(4, top - 20, `${y.name} (log scale)`),
  ].join('');
}

/** Draws a line in the style of the series with the given number. */
export function curve(points: readonly Point[], series: number, attributes: SvgAttributes = {}): string {
  const d = points.map(([x, y], at) => `${at === 0 ? 'M' : 'L'}${x.toFixed(1)},${y.toFixed(1)}`).join('');
  return element('path', { d, class: `line s${series}`, ...attributes });
}

/** Draws the mark at the end of a stopped trial. */
export function cross([x, y]: Point, series: number): string {
  const [r, digits] = [4.5, 1];
  const [left, right] = [(x - r).toFixed(digits), (x + r).toFixed(digits)];
  const [top, bottom] = [(y - r).toFixed(digits), (y + r).toFixed(digits)];
  const d = `M${left},${top}L${right},${bottom}M${left},${bottom}L${right},${top}`;
  return element('path', { d, class: `line s${series}`, style: 'stroke-dasharray:none;stroke-width:2.5' });
}

/** Draws a circle that is filled with the color of the background. */
export function ring([x, y]: Point, series: number): string {
  return element('circle', {
    cx: x,
    cy: y,
    r: 4.5,
    class: `line s${series}`,
    style: 'stroke-dasharray:none;fill:var(--ground)',
  });
}

/** The ticks of a logarithmic axis of losses. */
export const LOSS_TICKS = [0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.5, 2];

/** Colors of medium lightness, which can be seen on a light and on a dark background. */
const RAMP = ['#4a9ede', '#b4b4b4', '#ec8a3c'];

/**
 * Returns a function that gives the color of a loss. The lower limit gets the first color, and the upper limit the last
 * color.
 */
export function lossColors(limits: Point): (loss: number) => string {
  const share = scaleLog(limits, [0, 1]).clamp(true);
  const color = scaleLinear<string>([0, 0.5, 1], RAMP);
  return (loss) => color(share(loss));
}

/** Draws the key at the upper right that shows the color of each loss. */
export function colorKey({ width }: PlotSize, limits: Point, colors: (loss: number) => string): string {
  const [low, high] = limits;
  const steps = 16;
  const [step, right, y] = [6, width - MARGIN.right - 76, 6];
  const cells = Array.from({ length: steps }, (_, at) => {
    const loss = low * (high / low) ** ((at + 0.5) / steps);
    const x = right - (steps - at) * step;
    return element('rect', { x, y, width: step + 0.5, height: 10, style: `fill:${colors(loss)}` });
  });
  const label = { 'text-anchor': 'end' };
  const left = right - steps * step;
  return (
    text(left - 5, y + 9, `test loss ${low.toPrecision(2)}`, label) +
    cells.join('') +
    text(right + 5, y + 9, `${high.toPrecision(2)} or more`)
  );
}
