import { ownValue } from '../../../lib/domain/own-value.ts';
import { hasValue } from '../../../lib/domain/trial-result.ts';
import { formatMetric, formatStep } from '../../../lib/text/numbers.ts';
import type { Config } from '../../../proto/gen/trawl/v1/types.ts';
import { type EpochPoint, lineChart } from '../charts/line-chart.ts';
import { valueScale } from '../charts/plot-area.ts';
import type { ReportData } from '../data.ts';
import type { Figure, ReportBlock, ReportTable, Section } from '../document.ts';
import { evenly, MAX_EPOCHS_DRAWN, MAX_EPOCHS_LISTED } from '../limits.ts';
import { curvePoints } from '../mean-curve.ts';
import { layOut, type PanelLayout } from '../panels.ts';
import { objectiveOf, type VariedParameters } from '../trial-results.ts';

/**
 * Returns the section with charts over the epochs, one for the objective and one for each other metric in the
 * hypotheses. Returns undefined until there are values at two epochs, because the ranking already shows the values of a
 * single epoch.
 */
export function curvesSection(data: ReportData, space: VariedParameters): Section | undefined {
  const metrics = [...new Set([objectiveOf(data), ...data.judgedMetrics])];
  const drawn = metrics.map((metric) => drawnOf(data, space, metric)).filter(({ epochs }) => epochs.length > 1);
  if (drawn.length === 0) return undefined;
  const most = Math.max(...drawn.map(({ epochs }) => epochs.length));
  const blocks = drawn.map((one): ReportBlock => ({ kind: 'figure', figure: figureOf(one, data) }));
  if (most > MAX_EPOCHS_DRAWN) {
    blocks.push({ kind: 'note', text: `${MAX_EPOCHS_DRAWN} of ${most} epochs are drawn, evenly spaced.` });
  }
  return { id: 'curves', title: 'Over the epochs', blocks };
}

interface Drawn {
  readonly metric: string;
  readonly layout: PanelLayout;
  /** The epochs at which any trial has a value, in order. An epoch can be a fraction. */
  readonly epochs: readonly number[];
  readonly panels: readonly DrawnPanel[];
}

interface DrawnPanel {
  readonly title: string;
  readonly lines: readonly { readonly series: number; readonly points: readonly EpochPoint[] }[];
}

function drawnOf(data: ReportData, space: VariedParameters, metric: string): Drawn {
  const counting = new Set(data.trials.filter(hasValue).map(({ id }) => id));
  const curvesOf = (configs: readonly Config[]) =>
    configs.flatMap(({ trialIds }) => trialIds.flatMap((id) => (counting.has(id) ? [data.curves.get(id) ?? []] : [])));
  const reported = data.configs.filter((config) =>
    curvesOf([config]).some((reports) => reports.some(({ metrics }) => Number.isFinite(ownValue(metrics, metric)))),
  );
  const layout = layOut(reported, space);
  const panels = layout.panels.map(({ title, groups }) => ({
    title,
    lines: groups.map(({ series, configs }) => ({
      series,
      points: curvePoints(curvesOf(configs), metric, layout.isPerConfig ? 'all' : 'middle half'),
    })),
  }));
  const epochs = new Set(
    panels.flatMap(({ lines }) => lines.flatMap(({ points }) => points.map(({ epoch }) => epoch))),
  );
  return { metric, layout, panels, epochs: [...epochs].sort((a, b) => a - b) };
}

function figureOf(drawn: Drawn, data: ReportData): Figure {
  const { metric, layout, epochs } = drawn;
  const panels = drawn.panels.map(({ title, lines }) => ({
    title,
    lines: lines.map(({ series, points }) => ({ series, points: evenly(points, MAX_EPOCHS_DRAWN) })),
  }));
  const points = panels.flatMap(({ lines }) => lines.flatMap((of) => of.points));
  const scale = valueScale(points.flatMap(({ mean, low, high }) => [mean, low, high]));
  return {
    title: `${metric} over the epochs`,
    caption: captionOf(layout, data),
    legend: layout.legend,
    panels: panels.map(({ title, lines }) => ({
      title,
      alt: `${metric} up to epoch ${formatStep(epochs.at(-1) ?? 0)}. ${lines
        .map(({ series, points: of }) => lineAlt(layout.legend[series] ?? '', of))
        .join('; ')}`,
      drawing: lineChart(lines, epochs, scale, metric),
    })),
    scrolls: false,
    table: tableOf(drawn),
  };
}

function captionOf(layout: PanelLayout, data: ReportData): string {
  const stopped =
    (data.sweep.counts?.stopped ?? 0) > 0 ? ' A trial that was stopped early is included up to its last epoch.' : '';
  const panels = layout.panels.length > 1 ? ' All panels have the same scale.' : '';
  return `${lineText(layout, data.spec.seeds.length)}${panels}${stopped}`;
}

function lineText({ isPerConfig, averaged }: PanelLayout, seeds: number): string {
  if (!isPerConfig) {
    const over = [...(seeds > 1 ? ['seeds'] : []), ...averaged].join(', ');
    return `Each line is a mean over ${over}; the band covers the middle half of its trials.`;
  }
  if (seeds === 1) return 'Each line is the single trial of a config.';
  return 'Each line is the mean of a config over its seeds; the band spans all of its trials.';
}

function lineAlt(label: string, points: readonly EpochPoint[]): string {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return `${label}: nothing`;
  return `${label === '' ? '' : `${label}: `}from ${formatMetric(first.mean)} to ${formatMetric(last.mean)}`;
}

/** Returns evenly spaced epochs. Adds the last epoch of each line if the lines end at few different epochs. */
function listedEpochs(all: readonly number[], panels: readonly DrawnPanel[]): number[] {
  const last = new Set(panels.flatMap(({ lines }) => lines.flatMap(({ points }) => points.at(-1)?.epoch ?? [])));
  const ends = last.size > MAX_EPOCHS_LISTED / 2 ? [] : [...last];
  return [...new Set([...evenly(all, MAX_EPOCHS_LISTED), ...ends])].sort((a, b) => a - b);
}

function tableOf({ panels, layout, metric, epochs: all }: Drawn): ReportTable {
  const epochs = listedEpochs(all, panels);
  return {
    caption: `${metric} by epoch, means`,
    columns: [
      ...(panels.length > 1 ? [{ header: 'panel', numeric: false }] : []),
      { header: 'line', numeric: false },
      ...epochs.map((epoch) => ({ header: `epoch ${formatStep(epoch)}`, numeric: true })),
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
