import type { Importance, ParameterEffect } from '../../../coordinator/analysis/importance.ts';
import { formatMetric } from '../../../dashboard/draw/numbers.ts';
import { levelChart } from '../charts/level-chart.ts';
import { valueScale } from '../charts/plot-area.ts';
import { percent, shareChart } from '../charts/share-chart.ts';
import type { ReportData } from '../data.ts';
import type { Block, Figure, Panel, Section } from '../document.ts';
import { MAX_INTERACTIONS, MAX_LEVELS, MAX_PANELS } from '../limits.ts';
import { valueText } from '../parameter-levels.ts';
import { evenly } from './curves.ts';
import { spreadText } from './ranking.ts';

/** How much each parameter moves the objective, and which way; no section where nothing can be said. */
export function effectsSection({ importance }: ReportData): Section | undefined {
  if (importance === undefined) return undefined;
  const effects = importance.effects.toSorted((a, b) => b.share - a.share);
  const note: Block[] = importance.why === '' ? [] : [{ kind: 'note', text: importance.why }];
  if (effects.length === 0) {
    return note.length === 0 ? undefined : { id: 'effects', title: 'What matters', blocks: note };
  }
  return {
    id: 'effects',
    title: 'What matters',
    blocks: [
      ...note,
      { kind: 'figure', figure: sharesFigure(importance, effects) },
      { kind: 'figure', figure: levelsFigure(importance.metric, effects) },
      levelsTable(importance.metric, effects),
      ...levelNotes(effects),
    ],
  };
}

function sharesFigure({ metric, interactions, residual }: Importance, effects: readonly ParameterEffect[]): Figure {
  const crossed = interactions.toSorted((a, b) => b.share - a.share).slice(0, MAX_INTERACTIONS);
  const rows = [
    ...effects.map(({ parameter, share, f, p }) => ({ label: parameter, share, f, p })),
    ...crossed.map(({ parameters, share, p }) => ({ label: parameters.join(' x '), share, f: undefined, p })),
    { label: 'unexplained', share: residual, f: undefined, p: undefined },
  ];
  const more = interactions.length - crossed.length;
  return {
    title: `Share of the variation of ${metric}`,
    caption:
      'Analysis of variance: the part of the total sum of squares that each parameter, and each pair of them beyond ' +
      `its two, accounts for.${more > 0 ? ` ${more} smaller interactions are not listed.` : ''}`,
    legend: [],
    panels: [
      {
        title: '',
        alt: rows.map(({ label, share }) => `${label} ${percent(share)}`).join(', '),
        drawing: shareChart(rows),
      },
    ],
    wide: false,
    table: {
      caption: `Importance for ${metric}`,
      columns: [
        { header: 'parameter', numeric: false },
        { header: 'share', numeric: true },
        { header: 'F', numeric: true },
        { header: 'p', numeric: true },
      ],
      rows: rows.map(({ label, share, f, p }) => [
        label,
        percent(share),
        f === undefined ? '-' : formatMetric(f),
        p === undefined ? '-' : probability(p),
      ]),
    },
  };
}

const probability = (p: number): string => (p < 0.001 ? '< 0.001' : p.toFixed(3));

function levelsFigure(metric: string, effects: readonly ParameterEffect[]): Figure {
  const drawn = effects.slice(0, MAX_PANELS).map(({ parameter, share, levels }) => ({
    parameter,
    share,
    ordered: levels.every(({ value }) => typeof value === 'number'),
    points: evenly(levels, MAX_LEVELS).map(({ value, spread: { mean, std, n } }) => {
      const error = std / Math.sqrt(n);
      return { label: valueText(value), mean, low: mean - error, high: mean + error };
    }),
  }));
  const scale = valueScale(drawn.flatMap(({ points }) => points.flatMap(({ low, high }) => [low, high])));
  return {
    title: `${metric} by parameter`,
    caption: 'Means over everything else; whiskers are one standard error. All panels have the same scale.',
    legend: [],
    panels: drawn.map(
      ({ parameter, share, points, ordered }): Panel => ({
        title: `${parameter} (${percent(share)})`,
        alt: `${metric} by ${parameter}: ${points.map(({ label, mean }) => `${label}: ${formatMetric(mean)}`).join(', ')}`,
        drawing: levelChart(points, scale, { metric, parameter }, ordered),
      }),
    ),
    wide: false,
    table: undefined,
  };
}

function levelsTable(metric: string, effects: readonly ParameterEffect[]): Block {
  return {
    kind: 'table',
    table: {
      caption: `${metric} at each value, over everything else: mean ± standard deviation over n trials`,
      columns: [
        { header: 'parameter', numeric: false },
        { header: 'value', numeric: false },
        { header: metric, numeric: true },
        { header: 'n', numeric: true },
      ],
      rows: effects.flatMap(({ parameter, levels }) =>
        evenly(levels, MAX_LEVELS).map(({ value, spread }) => [
          parameter,
          valueText(value),
          spreadText(spread),
          String(spread.n),
        ]),
      ),
    },
  };
}

function levelNotes(effects: readonly ParameterEffect[]): Block[] {
  const long = effects.filter(({ levels }) => levels.length > MAX_LEVELS);
  const notes = long.map(({ parameter, levels }) => `${MAX_LEVELS} of the ${levels.length} values of ${parameter}`);
  const panels = effects.length > MAX_PANELS ? [`charts of ${MAX_PANELS} of ${effects.length} parameters`] : [];
  const shown = [...notes, ...panels];
  return shown.length === 0 ? [] : [{ kind: 'note', text: `Shown: ${shown.join('; ')}.` }];
}
