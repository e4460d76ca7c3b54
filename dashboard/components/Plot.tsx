import { Box } from 'ink';
import { formatMetric, formatStep } from '../../lib/text/numbers.ts';
import { seriesStyle } from '../../lib/text/style.ts';
import { pad } from '../../lib/text/width.ts';
import { BrailleCanvas } from '../draw/braille.ts';
import { Label, Line } from './Line.tsx';

export interface PlotSeries {
  readonly name: string;
  /** The points in ascending order of x. Values that are not finite break the line. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** A band around the line, in ascending order of x. */
  readonly band?: readonly (readonly [x: number, low: number, high: number])[];
}

const AXIS = 11;
/** The vertical lines at the marks have the color of the series with this index. */
const MARKS = 7;

export const seriesLetter = (series: number): string => 'abcdefghijklmnopqrstuvwxyz'[series % 26] ?? 'a';

interface Props {
  readonly title: string;
  readonly series: readonly PlotSeries[];
  readonly columns: number;
  /** The height in lines of text, including title and axis. */
  readonly lines: number;
  /**
   * The x positions of vertical lines, such as the rungs of early stopping. Lines outside the range of the curves are
   * not drawn.
   */
  readonly marks?: readonly number[];
  /** The text that is shown if there are no values. Default: `no values yet`. */
  readonly empty?: string | undefined;
}

/** Curves as braille dots, with the value range on the left and the first and last epoch below. */
export function Plot({ title, series, columns: width, lines, marks = [], empty = 'no values yet' }: Props) {
  const rows = lines - 2;
  const columns = width - AXIS;
  const finite = series.flatMap(({ points, band = [] }) => [
    ...points.filter(([, y]) => Number.isFinite(y)),
    ...band.flatMap(([x, low, high]) => [[x, low] as const, [x, high] as const]),
  ]);
  const fits = rows >= 1 && columns >= 4;
  return (
    <Box flexDirection="column" width={width} height={fits ? lines : 1} flexShrink={0}>
      <Label text={title} columns={width} style="bold" />
      {fits && finite.length === 0 ? <Label text={empty} columns={width} style="dim" /> : null}
      {fits && finite.length > 0 ? <Curves {...{ series, finite, columns, rows, marks }} /> : null}
    </Box>
  );
}

interface CurvesProps {
  readonly series: readonly PlotSeries[];
  readonly finite: readonly (readonly [number, number])[];
  readonly columns: number;
  readonly rows: number;
  readonly marks: readonly number[];
}

function Curves({ series, finite, columns, rows, marks }: CurvesProps) {
  const [lowX, highX] = rangeOf(finite.map(([x]) => x));
  const [lowY, highY] = rangeOf(finite.map(([, y]) => y));
  const shown = marks.filter((x) => x >= lowX && x <= highX);
  const canvas = canvasOf(series, shown, columns, rows, [lowX, highX], [lowY, highY]);
  const label = (row: number): string => {
    if (row === 0) return formatMetric(highY);
    if (row === rows - 1) return formatMetric(lowY);
    return row === Math.floor((rows - 1) / 2) && rows > 4 ? formatMetric((lowY + highY) / 2) : '';
  };
  return (
    <>
      {Array.from({ length: rows }, (_, row) => (
        <Line
          // biome-ignore lint/suspicious/noArrayIndexKey: a line has no key other than its index
          key={row}
          segments={[{ text: `${pad(label(row), AXIS - 1, 'left')}│`, style: 'dim' }, ...canvas.line(row)]}
          columns={AXIS + columns}
        />
      ))}
      <Box justifyContent="space-between" paddingLeft={AXIS} width={AXIS + columns}>
        <Label text={formatStep(lowX)} columns={columns} style="dim" />
        <Label text={formatStep(highX)} columns={columns} style="dim" />
      </Box>
    </>
  );
}

function canvasOf(
  series: readonly PlotSeries[],
  marks: readonly number[],
  columns: number,
  rows: number,
  [lowX, highX]: readonly [number, number],
  [lowY, highY]: readonly [number, number],
): BrailleCanvas {
  const canvas = new BrailleCanvas(columns, rows);
  const xOf = (x: number) => Math.round(share(x, lowX, highX) * (canvas.width - 1));
  const yOf = (y: number) => Math.round((1 - share(y, lowY, highY)) * (canvas.height - 1));
  for (const [s, { band = [] }] of [...series.entries()].reverse()) {
    const edges = band.map(([x, low, high]) => [xOf(x), yOf(high), yOf(low)] as const);
    for (const [i, edge] of edges.entries()) canvas.shade(edge, edges[i + 1] ?? edge, s);
  }
  // The lines at the marks are dotted, so that they do not hide the curves.
  for (const x of marks) for (let y = 0; y < canvas.height; y += 3) canvas.dot(xOf(x), y, MARKS);
  // The first series is the most important, so it is drawn on top.
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
  return canvas;
}

/** The names of the series, such as `a latent_dim=15  b latent_dim=30`. */
export function Legend({ series, columns }: { readonly series: readonly PlotSeries[]; readonly columns: number }) {
  return (
    <Box width={columns} flexWrap="wrap" columnGap={2} flexShrink={0}>
      {series.map(({ name }, s) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a series has no key other than its index
        <Label key={s} text={`${seriesLetter(s)} ${name}`} columns={columns} style={seriesStyle(s)} />
      ))}
    </Box>
  );
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

/** Halves the values first, so that the difference of two huge values is finite. */
const share = (value: number, low: number, high: number): number =>
  high > low ? (value / 2 - low / 2) / (high / 2 - low / 2) : 0.5;
