import { scalePoint } from 'd3-scale';
import type { ChartDrawing } from '../document.ts';
import type { ValueScale } from './plot-area.ts';
import { AREA } from './plot-area.ts';
import { clipped, element, line, text } from './svg.ts';

const COLUMN = 118;
const TOP = 34;
const HEIGHT = 330;
const MOST_LABELS = 12;
/** With more lines than this, all lines except the best are faint, so that dense regions stand out. */
const MOST_STRONG = 60;

export interface ParallelAxis {
  readonly name: string;
  readonly labels: readonly string[];
}

export interface ParallelLine {
  /** For each axis, the index of the label at which the line crosses the axis. */
  readonly places: readonly number[];
  readonly value: number;
  readonly best: boolean;
}

/** Draws one line per config, from its parameters to its result. The best configs are on top, in another color. */
export function parallelChart(
  axes: readonly ParallelAxis[],
  lines: readonly ParallelLine[],
  metric: string,
  scale: ValueScale,
): ChartDrawing {
  const width = COLUMN * (axes.length + 1);
  const x = (i: number) => COLUMN * (i + 0.5);
  const scales = axes.map(({ labels }) =>
    scalePoint(
      labels.map((_, i) => i),
      [HEIGHT - 24, TOP + 14],
    ).padding(0.2),
  );
  const stretch = (HEIGHT - 24 - (TOP + 14)) / (AREA.bottom - AREA.top);
  const valueAt = (value: number) => TOP + 14 + (scale.at(value) - AREA.top) * stretch;
  const path = ({ places, value }: ParallelLine) =>
    [...places.map((place, i) => [x(i), scales[i]?.(place) ?? 0]), [x(axes.length), valueAt(value)]]
      .map(([px, py], i) => `${i === 0 ? 'M' : 'L'}${(px ?? 0).toFixed(1)},${(py ?? 0).toFixed(1)}`)
      .join('');
  const others = lines.length > MOST_STRONG ? 'thin s0' : 'plain s0';
  const draw = (of: ParallelLine) => element('path', { d: path(of), class: of.best ? 'strong s1' : others });
  const ordered = [...lines.filter(({ best }) => !best), ...lines.filter(({ best }) => best)];
  const columns = axes.map(({ name, labels }, i) => {
    const every = Math.ceil(labels.length / MOST_LABELS);
    const ticks = labels.flatMap((label, place) =>
      place % every === 0 ? tickLabel(x(i), scales[i]?.(place) ?? 0, label) : [],
    );
    return heading(x(i), name) + line(x(i), TOP + 8, x(i), HEIGHT - 18, 'axis') + ticks.join('');
  });
  const last = x(axes.length);
  const values =
    heading(last, `${metric}${scale.log ? ' (log)' : ''}`) +
    line(last, TOP + 8, last, HEIGHT - 18, 'axis') +
    scale.ticks.map(([value, tick]) => tickLabel(last, valueAt(value), tick)).join('');
  return { width, height: HEIGHT, content: ordered.map(draw).join('') + columns.join('') + values };
}

const heading = (x: number, name: string): string =>
  text(x, 18, clipped(name, 15), { 'text-anchor': 'middle', class: 'title' });

const tickLabel = (x: number, y: number, label: string): string =>
  text(x + 6, y + 3.5, clipped(label, 15), { class: 'halo' });
