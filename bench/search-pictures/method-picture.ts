/** Draws a search: its points in the space, and the best loss so far. */
import { min, quantile, range } from 'd3-array';
import { element, figureSvg, text } from '../../bin/report/charts/svg.ts';
import { axes, colorKey, curve, horizontal, LOSS_TICKS, lossColors, type Point, vertical } from './plot.ts';
import { bestOf, lossOf, type RecordedRun } from './recorded-run.ts';

const SIZE = { width: 480, height: 340 };
const RATES: Point = [1e-4, 1e-1];
const DIMENSIONS: Point = [8, 128];

/** The share of the losses that are above the upper limit of the pictures. Outliers thus do not determine the scale. */
const OUTLIERS = 0.1;

/**
 * Returns the lower and the upper limit of the losses, which the pictures of all runs share. Higher losses are drawn at
 * the upper limit.
 */
export function lossLimits(runs: readonly RecordedRun[]): Point {
  const losses = runs.flatMap(({ trials }) => trials.map(lossOf).filter(Number.isFinite));
  return [min(losses) ?? 0.1, quantile(losses, 1 - OUTLIERS) ?? 1];
}

/**
 * Draws one search.
 * @param limits the limits of the losses, which all pictures share
 * @param random the random search of the same space, whose best loss so far is drawn for comparison
 */
export function methodPicture(run: RecordedRun, limits: Point, random: RecordedRun | undefined): string {
  const compared = random === undefined || random.name === run.name ? [] : [random];
  const colors = lossColors(limits);
  return figureSvg({
    title: `${run.name}: ${run.trials.length} autoencoders on MNIST`,
    caption: '',
    legend: ['best loss so far', ...compared.map(() => 'best loss so far of the random search')],
    scrolls: false,
    table: undefined,
    panels: [
      {
        title: 'the points, numbered in their order; the circle marks the best',
        alt: '',
        drawing: { ...SIZE, content: points(run, limits, colors) },
      },
      {
        title: 'the loss of each trial',
        alt: '',
        drawing: { ...SIZE, content: progress(run, limits, colors, compared) },
      },
    ],
  });
}

function points(run: RecordedRun, limits: Point, colors: (loss: number) => string): string {
  const x = horizontal(SIZE, RATES, [1e-4, 1e-3, 1e-2, 1e-1], 'learning rate (log scale)', 'log');
  const y = vertical(SIZE, DIMENSIONS, [8, 16, 32, 64, 128], 'latent dimension');
  const best = bestOf(run);
  const drawn = run.trials.map((trial, at) => {
    const { learning_rate = Number.NaN, latent_dim = Number.NaN } = trial.parameters;
    const [cx, cy] = [x.at(learning_rate), y.at(latent_dim)];
    const dot = element('circle', { cx, cy, r: 8.5, style: `fill:${colors(lossOf(trial))};stroke:var(--ground)` });
    const label = { 'text-anchor': 'middle', style: 'fill:#111;font-size:10px' };
    const mark =
      at === best ? element('circle', { cx, cy, r: 11, style: 'fill:none;stroke:var(--ink);stroke-width:2.5' }) : '';
    return dot + text(cx, cy + 3.5, `${at + 1}`, label) + mark;
  });
  // The best point is drawn last, so that no other point covers it.
  const ordered = [...drawn.filter((_, at) => at !== best), drawn[best] ?? ''];
  return axes(SIZE, x, y) + colorKey(SIZE, limits, colors) + ordered.join('');
}

function progress(
  run: RecordedRun,
  limits: Point,
  colors: (loss: number) => string,
  compared: readonly RecordedRun[],
): string {
  const count = run.trials.length;
  const ticks = [1, ...range(8, count + 1, 8)];
  const x = horizontal(SIZE, [1, count], ticks, 'number of the trial', 'linear');
  const y = vertical(SIZE, [limits[0] * 0.92, limits[1]], LOSS_TICKS, 'test loss');
  const dots = run.trials.map((trial, at) => {
    const style = `fill:${colors(lossOf(trial))};stroke:var(--ground)`;
    return element('circle', { cx: x.at(at + 1), cy: y.at(lossOf(trial)), r: 4.5, style });
  });
  const lines = [run, ...compared].map((drawn, series) => curve(steps(drawn, x.at, y.at), series));
  const last = lossOf(run.trials[bestOf(run)]);
  const label = text(x.at(count), y.at(last) + 15, last.toFixed(3), { 'text-anchor': 'end', class: 'halo' });
  return axes(SIZE, x, y) + dots.join('') + lines.reverse().join('') + label;
}

/** Returns the points of a stepped line: the best loss after each trial. */
function steps({ trials }: RecordedRun, x: (at: number) => number, y: (loss: number) => number): Point[] {
  let best = Number.POSITIVE_INFINITY;
  return trials.flatMap((trial, at): Point[] => {
    const before = best;
    best = Math.min(best, Number.isFinite(lossOf(trial)) ? lossOf(trial) : best);
    if (!Number.isFinite(best)) return [];
    const end: Point = [x(at + 1), y(best)];
    return Number.isFinite(before) && before !== best ? [[x(at + 1), y(before)], end] : [end];
  });
}
