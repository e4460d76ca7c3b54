/** Panels that the trial and compare views share: curves and reconstructions. */

import { ownValue } from '../../lib/domain/own-value.ts';
import { sideBySide } from '../draw/layout.ts';
import { EMPTY_LINE, type StyledLine, styledLine } from '../draw/line.ts';
import { imageLines, imageSize, shrinkToFit } from '../draw/pixel-image.ts';
import { legend, type PlotSeries, plot } from '../draw/plot.ts';
import type { ReportPoint } from '../state/curve-cache.ts';
import type { Model, TrialDetail } from '../state/model.ts';

const LOSS = /loss/;
const PSNR = /psnr/;
/** More curves in one panel are not distinguishable. */
const MAX_SERIES = 6;

export function seriesOf(name: string, points: readonly ReportPoint[], metric: string): PlotSeries {
  return {
    name,
    points: points.flatMap(({ epoch, metrics }) => {
      const value = ownValue(metrics, metric);
      return value === undefined ? [] : [[epoch, value] as const];
    }),
  };
}

/**
 * Draws losses, PSNRs and other metrics in separate panels, side by side.
 * @param metric drawn first, on top of the others in its panel
 */
export function trialPanels(
  points: readonly ReportPoint[],
  metric: string,
  width: number,
  height: number,
): StyledLine[] {
  const all = [...new Set(points.flatMap(({ metrics }) => Object.keys(metrics)))].sort();
  const names = all.includes(metric) ? [metric, ...all.filter((name) => name !== metric)] : all;
  const losses = names.filter((name) => LOSS.test(name));
  const psnrs = names.filter((name) => PSNR.test(name));
  const others = names.filter((name) => !LOSS.test(name) && !PSNR.test(name));
  const groups = [
    { title: 'losses', names: losses },
    { title: 'PSNR, dB', names: psnrs },
    { title: 'other metrics', names: others },
  ].filter((group) => group.names.length > 0);
  if (groups.length === 0) return plot('curves', [], width, height);
  const each = Math.floor((width - 2 * (groups.length - 1)) / groups.length);
  const panels = groups.map((group) => {
    const series = group.names.slice(0, MAX_SERIES).map((name) => seriesOf(name, points, name));
    const [only, second] = group.names;
    if (only !== undefined && second === undefined) return plot(only, series, each, height);
    return [...plot(group.title, series, each, height), ...legend(series, each)];
  });
  return sideBySide(
    panels,
    groups.map(() => each),
  );
}

/** Draws the reconstructions of a trial at an epoch, in at most `lines` lines. */
export function reconstruction(
  model: Model,
  detail: TrialDetail | undefined,
  epoch: number | undefined,
  columns: number,
  lines: number,
): StyledLine[] {
  if (detail === undefined) return [styledLine('loading reconstructions...', 'dim')];
  if (epoch === undefined) return [styledLine('no reconstructions', 'dim')];
  const at = detail.epochs.indexOf(epoch);
  const position = detail.epochs.length > 1 ? ` (${at + 1} of ${detail.epochs.length}, [ ] to switch)` : '';
  const title = styledLine(
    `reconstructions after epoch ${epoch}${position}: input, noisy input (if any), output`,
    'bold',
  );
  const shown = detail.images.get(epoch);
  if (shown === undefined) return [title, styledLine('loading the image...', 'dim')];
  const shrink = shrinkToFit(shown.pixels, columns, Math.max(1, lines - 1));
  if (!model.kitty) return [title, ...imageLines(shown.pixels, shrink, model.style)];
  const size = imageSize(shown.pixels, shrink);
  const spot = { number: shown.number, png: shown.png, column: 0, ...size };
  return [title, { segments: [], spot }, ...Array<StyledLine>(size.lines - 1).fill(EMPTY_LINE)];
}
