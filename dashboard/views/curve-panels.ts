/** A trial's curves, or several trials' over each other. */

import type { StyledLine } from '../../lib/text/segment.ts';
import { sideBySide } from '../draw/clip.ts';
import { type ChartSeries, legend, plot } from '../draw/plot.ts';
import type { CurvePoint } from '../state/curve-cache.ts';

const LOSS = /loss/;
const PSNR = /psnr/;
/** More curves than this in one panel cannot be told apart. */
const MOST_SERIES = 6;

export function seriesOf(name: string, points: readonly CurvePoint[], metric: string): ChartSeries {
  return {
    name,
    points: points.flatMap(({ epoch, metrics }) =>
      metric in metrics ? [[epoch, metrics[metric] ?? Number.NaN] as const] : [],
    ),
  };
}

/**
 * Losses, PSNRs and the rest, each in a panel of its own, side by side.
 * @param metric comes first, over the others of its panel
 */
export function trialPanels(
  points: readonly CurvePoint[],
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
    const series = group.names.slice(0, MOST_SERIES).map((name) => seriesOf(name, points, name));
    const [only, second] = group.names;
    if (only !== undefined && second === undefined) return plot(only, series, each, height);
    return [...plot(group.title, series, each, height), ...legend(series, each)];
  });
  return sideBySide(
    panels,
    groups.map(() => each),
  );
}
