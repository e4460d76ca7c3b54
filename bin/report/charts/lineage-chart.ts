/** Draws the lineage of a population: members as lines over the epochs, and the starts of children as branches. */
import { scaleLinear, scalePoint } from 'd3-scale';
import { formatStep } from '../../../lib/text/numbers.ts';
import type { ChartDrawing } from '../document.ts';
import { AREA, HEIGHT, labelsBelow, type ValueScale, valueAxis, WIDTH } from './plot-area.ts';
import { clipped, element, line, text } from './svg.ts';

const ROW = 20;
const LINEAGE_WIDTH = 680;
const LEFT = 30;
const RIGHT = 190;
const TOP = 30;
const BOTTOM = 34;
/** The horizontal length of a branch in pixels. */
const BRANCH = 12;
const MOST_CHARACTERS = 26;
/** The thickness of lines in pixels: THICK for lines that never overlap, and THIN for lines that can overlap. */
const THICK = 5;
const THIN = 3;

/** A part of a trial's line: from one comparison of the population to the next, or to the trial's last epoch. */
export interface LineageStep {
  readonly from: number;
  readonly to: number;
  /**
   * The rank of the trial among all trials with a value at epoch `to`, from 0 (worst) to 1 (best). Undefined if the
   * trial has no value at this epoch.
   */
  readonly quality: number | undefined;
  /**
   * Whether the step is part of the lineage of the best trial. The lineage consists of all steps of this trial, and the
   * steps of each ancestor up to the branch that leads to this trial.
   */
  readonly isBest: boolean;
}

export interface LineageLine {
  /** The row of the trial's member, from 0. Undefined if the member is not drawn. */
  readonly row: number | undefined;
  /** In a chart of one parameter (`scheduleChart`), the trial's value of this parameter. */
  readonly value: number | undefined;
  readonly steps: readonly LineageStep[];
  /** The position of the parent's line, where the branch to this line starts. Undefined if no parent is drawn. */
  readonly parent: { readonly row: number | undefined; readonly value: number | undefined } | undefined;
}

/** The labels of a row: `member` at its left end, and `label` at its right end. */
export interface LineageRow {
  readonly member: string;
  readonly label: string;
}

/** Draws one row per member. @param last the last epoch */
export function lineageChart(
  lines: readonly LineageLine[],
  rows: readonly LineageRow[],
  last: number,
  labelTitle: string,
): ChartDrawing {
  const height = TOP + rows.length * ROW + BOTTOM;
  const bottom = height - BOTTOM;
  const y = scalePoint<number>(
    rows.map((_, row) => row),
    [TOP + ROW / 2, bottom - ROW / 2],
  );
  const x = scaleLinear([0, Math.max(1, last)], [LEFT, LINEAGE_WIDTH - RIGHT]);
  const rowAt = (row: number | undefined) => (row === undefined ? undefined : y(row));
  const ticks = x.ticks(12).filter(Number.isInteger);
  const grid = ticks.map(
    (epoch) =>
      line(x(epoch), TOP, x(epoch), bottom, 'grid') +
      text(x(epoch), bottom + 14, formatStep(epoch), { 'text-anchor': 'middle' }),
  );
  const labels = rows.map(({ member, label }, row) => {
    const at = (y(row) ?? 0) + 3.5;
    return (
      text(LEFT - 10, at, member, { 'text-anchor': 'end', class: 'label' }) +
      text(LINEAGE_WIDTH - RIGHT + 12, at, clipped(label, MOST_CHARACTERS), { class: 'label' })
    );
  });
  const titles =
    text(0, 14, 'member') +
    text(LINEAGE_WIDTH - RIGHT + 12, 14, clipped(labelTitle, MOST_CHARACTERS)) +
    text((LEFT + LINEAGE_WIDTH - RIGHT) / 2, height - 4, 'epoch', { 'text-anchor': 'middle' });
  const drawn = drawnLines(lines, x, ({ row }) => rowAt(row), THICK);
  return { width: LINEAGE_WIDTH, height, content: titles + grid.join('') + labels.join('') + drawn };
}

/** Draws the value of one parameter over the epochs, in the same styles as the rows of `lineageChart`. */
export function scheduleChart(
  lines: readonly LineageLine[],
  last: number,
  scale: ValueScale,
  name: string,
): ChartDrawing {
  const x = scaleLinear([0, Math.max(1, last)], [AREA.left + 4, AREA.right - 4]);
  const ticks = x
    .ticks(6)
    .filter(Number.isInteger)
    .map((epoch): [number, string] => [x(epoch), formatStep(epoch)]);
  const drawn = drawnLines(lines, x, ({ value }) => (value === undefined ? undefined : scale.at(value)), THIN);
  return { width: WIDTH, height: HEIGHT, content: valueAxis(scale, name) + labelsBelow(ticks, 'epoch') + drawn };
}

type Place = Pick<LineageLine, 'row' | 'value'>;

/** Draws the lines and their branches. The best trial and its ancestors are drawn last, over the other lines. */
function drawnLines(
  lines: readonly LineageLine[],
  x: (epoch: number) => number,
  yOf: (place: Place) => number | undefined,
  thickness: number,
): string {
  const below: string[] = [];
  const above: string[] = [];
  for (const of of lines) {
    const y = yOf(of);
    const [first] = of.steps;
    if (y === undefined || first === undefined) continue;
    const from = of.parent && yOf(of.parent);
    const start = x(first.from);
    if (from !== undefined) {
      const isBest = of.steps.every((step) => step.isBest);
      const d = `M${start.toFixed(1)},${from.toFixed(1)}L${(start + BRANCH).toFixed(1)},${y.toFixed(1)}`;
      (isBest ? above : below).push(element('path', { d, class: isBest ? 'strong s1' : 'plain s0' }));
    }
    for (const [at, { from: left, to, quality, isBest }] of of.steps.entries()) {
      const x1 = at === 0 && from !== undefined ? Math.min(start + BRANCH, x(to)) : x(left);
      const opacity = 0.2 + 0.8 * (quality ?? 0);
      const attributes = {
        x1,
        y1: y,
        x2: x(to),
        y2: y,
        'stroke-width': thickness,
        'stroke-opacity': opacity.toFixed(2),
      };
      below.push(element('line', { ...attributes, class: 's0', style: 'stroke-dasharray:none' }));
      if (isBest) above.push(element('line', { x1, y1: y, x2: x(to), y2: y, class: 'strong s1' }));
    }
  }
  return below.join('') + above.join('');
}
