/** A trial's curves, or several trials' over each other. */
import { sideBySide } from '../draw/clip.ts';
import { plot, type Series } from '../draw/plot.ts';
import type { Line } from '../draw/segment.ts';
import type { CurvePoint } from '../state/curves.ts';

const LOSS = /loss/;
const PSNR = /psnr/;
/** More curves than this in one panel cannot be told apart. */
const MOST_SERIES = 6;

export function seriesOf(name: string, points: readonly CurvePoint[], metric: string): Series {
  return {
    name,
    points: points.flatMap(({ epoch, metrics }) =>
      metric in metrics ? [[epoch, metrics[metric] ?? Number.NaN] as const] : [],
    ),
  };
}

/** Losses, PSNRs and the rest, each in a panel of its own, side by side. */
export function trialPanels(points: readonly CurvePoint[], width: number, height: number): Line[] {
  const names = [...new Set(points.flatMap(({ metrics }) => Object.keys(metrics)))].sort();
  const groups = [
    names.filter((name) => LOSS.test(name)),
    names.filter((name) => PSNR.test(name)),
    names.filter((name) => !LOSS.test(name) && !PSNR.test(name)),
  ].filter((group) => group.length > 0);
  if (groups.length === 0) return plot('curves', [], width, height);
  const each = Math.floor((width - 2 * (groups.length - 1)) / groups.length);
  const panels = groups.map((group) => {
    const series = group.slice(0, MOST_SERIES).map((name) => seriesOf(name, points, name));
    const title =
      group.length === 1 ? group.join('') : series.map(({ name }, s) => `${'abcdef'[s]} ${name}`).join('  ');
    return plot(title, series, each, height);
  });
  return sideBySide(
    panels,
    groups.map(() => each),
  );
}
