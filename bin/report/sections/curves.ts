import { formatMetric } from '../../../dashboard/draw/numbers.ts';
import type { Config, Report } from '../../../proto/gen/trawl/v1/types.ts';
import { type EpochPoint, lineChart } from '../charts/line-chart.ts';
import { valueScale } from '../charts/plot-area.ts';
import type { ReportData } from '../data.ts';
import type { Block, Figure, Section, Table } from '../document.ts';
import { MAX_EPOCHS_DRAWN, MAX_EPOCHS_LISTED } from '../limits.ts';
import { type Layout, layOut } from '../panels.ts';
import { counts, objectiveOf, type Space } from '../trial-results.ts';

/** The objective over the epochs; no section while nothing has been reported. */
export function curvesSection(data: ReportData, space: Space): Section | undefined {
  const metric = objectiveOf(data);
  const counting = new Set(data.trials.filter(counts).map(({ id }) => id));
  const curvesOf = (configs: readonly Config[]) =>
    configs.flatMap(({ trialIds }) => trialIds.flatMap((id) => (counting.has(id) ? [data.curves.get(id) ?? []] : [])));
  const reported = data.configs.filter((config) => curvesOf([config]).some((reports) => reports.length > 0));
  if (reported.length === 0) return undefined;
  const layout = layOut(reported, space);
  const drawn = layout.panels.map(({ title, groups }) => ({
    title,
    lines: groups.map(({ series, configs }) => ({ series, points: pointsOf(curvesOf(configs), metric) })),
  }));
  const points = drawn.flatMap(({ lines }) => lines.flatMap((of) => of.points));
  if (points.length === 0) return undefined;
  const scale = valueScale(points.flatMap(({ low, high }) => [low, high]));
  const lastEpoch = points.reduce((last, { epoch }) => Math.max(last, epoch), 1);
  const figure: Figure = {
    title: `${metric} over the epochs`,
    caption: captionOf(layout, data),
    legend: layout.legend,
    panels: drawn.map(({ title, lines }) => ({
      title,
      alt: `${metric} over ${lastEpoch} epochs${title === '' ? '' : `, ${title}`}. ${lines
        .map(({ series, points: of }) => lineAlt(layout.legend[series] ?? '', of))
        .join('; ')}`,
      drawing: lineChart(lines, lastEpoch, scale, metric),
    })),
    wide: false,
    table: tableOf(drawn, layout, metric, lastEpoch),
  };
  const blocks: Block[] = [{ kind: 'figure', figure }];
  if (lastEpoch > MAX_EPOCHS_DRAWN) {
    blocks.push({ kind: 'note', text: `Of ${lastEpoch} epochs ${MAX_EPOCHS_DRAWN} are drawn, evenly spaced.` });
  }
  return { id: 'curves', title: 'Over the epochs', blocks };
}

function captionOf(layout: Layout, data: ReportData): string {
  const line = layout.whole
    ? 'Each line is the mean of a config over its seeds'
    : `Each line is a mean over seeds and over ${layout.averaged.join(', ')}`;
  const stopped = (data.sweep.counts?.stopped ?? 0) > 0 ? ' Trials that were stopped early count up to their end.' : '';
  const panels = layout.panels.length > 1 ? ' All panels have the same scale.' : '';
  return `${line}; the band reaches from the lowest trial to the highest.${panels}${stopped}`;
}

function pointsOf(curves: readonly (readonly Report[])[], metric: string): EpochPoint[] {
  const byEpoch = new Map<number, { sum: number; n: number; low: number; high: number }>();
  for (const reports of curves) {
    for (const { epoch, metrics } of reports) {
      const value = metrics[metric];
      if (value === undefined || !Number.isFinite(value)) continue;
      const at = byEpoch.get(epoch) ?? { sum: 0, n: 0, low: value, high: value };
      at.sum += value;
      at.n += 1;
      at.low = Math.min(at.low, value);
      at.high = Math.max(at.high, value);
      byEpoch.set(epoch, at);
    }
  }
  const points = [...byEpoch].map(([epoch, { sum, n, low, high }]) => ({ epoch, mean: sum / n, low, high }));
  return evenly(
    points.sort((a, b) => a.epoch - b.epoch),
    MAX_EPOCHS_DRAWN,
  );
}

/** At most so many, the first and the last among them. */
export function evenly<T>(all: readonly T[], most: number): T[] {
  if (all.length <= most) return [...all];
  return Array.from({ length: most }, (_, i) => all[Math.round((i * (all.length - 1)) / (most - 1))]).flatMap((of) =>
    of === undefined ? [] : [of],
  );
}

function lineAlt(label: string, points: readonly EpochPoint[]): string {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return `${label}: nothing`;
  return `${label === '' ? '' : `${label}: `}from ${formatMetric(first.mean)} to ${formatMetric(last.mean)}`;
}

interface DrawnPanel {
  readonly title: string;
  readonly lines: readonly { readonly series: number; readonly points: readonly EpochPoint[] }[];
}

function tableOf(panels: readonly DrawnPanel[], layout: Layout, metric: string, lastEpoch: number): Table {
  const epochs = evenly(
    Array.from({ length: lastEpoch }, (_, i) => i + 1),
    MAX_EPOCHS_LISTED,
  );
  return {
    caption: `${metric} by epoch, means`,
    columns: [
      ...(panels.length > 1 ? [{ header: 'panel', numeric: false }] : []),
      { header: 'line', numeric: false },
      ...epochs.map((epoch) => ({ header: `epoch ${epoch}`, numeric: true })),
    ],
    rows: panels.flatMap(({ title, lines }) =>
      lines.map(({ series, points }) => {
        const byEpoch = new Map(points.map(({ epoch, mean }) => [epoch, mean]));
        return [
          ...(panels.length > 1 ? [title] : []),
          layout.legend[series] || 'all',
          ...epochs.map((epoch) => formatMetric(byEpoch.get(epoch))),
        ];
      }),
    ),
  };
}
