import type { Importance, ParameterEffect } from '../../../coordinator/analysis/importance.ts';
import { formatMetric } from '../../../lib/text/numbers.ts';
import { levelChart, levelRows } from '../charts/level-chart.ts';
import { roomBelow, valueScale } from '../charts/plot-area.ts';
import { shareChart, shareText } from '../charts/share-chart.ts';
import type { ReportData } from '../data.ts';
import type { Figure, Panel, ReportBlock, ReportTable, Section } from '../document.ts';
import { evenly, MAX_INTERACTIONS, MAX_LEVELS, MAX_PANELS } from '../limits.ts';
import { valueText } from '../parameter-levels.ts';
import { meanText } from './ranking.ts';

/**
 * Returns the section with the importance and the marginal effects of the parameters. Undefined if the effects cannot
 * be computed.
 */
export function effectsSection({ importance }: ReportData): Section | undefined {
  if (importance === undefined) return undefined;
  const effects = importance.effects.toSorted((a, b) => b.share - a.share);
  const note = noteText(importance);
  const notes: ReportBlock[] = note === '' ? [] : [{ kind: 'note', text: note }];
  if (effects.length === 0) return { id: 'effects', title: 'What matters', blocks: notes };
  return {
    id: 'effects',
    title: 'What matters',
    blocks: [
      ...notes,
      { kind: 'figure', figure: sharesFigure(importance, effects) },
      { kind: 'figure', figure: levelsFigure(importance.metric, effects) },
      ...levelNotes(effects),
    ],
  };
}

function noteText({ balanced, effects, why }: Importance): string {
  if (effects.length === 0) return `The importance of the parameters cannot be computed: ${why}.`;
  if (why === '') return '';
  return balanced ? `In this grid, ${why}.` : `The analysis covers a balanced subset of the results: ${why}.`;
}

/** Interactions with a smaller share are omitted, because the table would show the share as 0.0%. */
const NEGLIGIBLE = 0.0005;

function sharesFigure(
  { metric, balanced, interactions, residual }: Importance,
  effects: readonly ParameterEffect[],
): Figure {
  const crossed = interactions
    .filter(({ share }) => share >= NEGLIGIBLE)
    .toSorted((a, b) => b.share - a.share)
    .slice(0, MAX_INTERACTIONS);
  const rows = [
    ...effects.map(({ parameter, share, f, p }) => ({ label: parameter, share, f, p, rest: false })),
    ...crossed.map(({ parameters, share, p }) => {
      return { label: parameters.join(' × '), share, f: undefined, p, rest: false };
    }),
    { label: 'unexplained', share: residual, f: undefined, p: undefined, rest: true },
  ];
  const more = interactions.length - crossed.length;
  return {
    title: `Share of the variation of ${metric}`,
    caption:
      `Analysis of variance${balanced ? '' : ' of the balanced subset'}: share of the variation explained by each ` +
      'parameter and pair; the rest is chance or higher-order effects.' +
      (more > 0 ? ` ${more} smaller interaction${more === 1 ? ' is' : 's are'} not listed.` : ''),
    legend: [],
    panels: [
      {
        title: '',
        alt: rows.map(({ label, share }) => `${label} ${shareText(share)}`).join(', '),
        drawing: shareChart(rows),
      },
    ],
    scrolls: false,
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
        shareText(share),
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
    caption:
      'Marginal effects: the mean of the analyzed trials with each value, with whiskers of one standard error. All panels ' +
      'have the same scale.',
    legend: [],
    panels: drawn.map(
      ({ parameter, share, points, ordered }): Panel => ({
        title: `${parameter} (${shareText(share)})`,
        alt: `${metric} by ${parameter}: ${points.map(({ label, mean }) => `${label}: ${formatMetric(mean)}`).join(', ')}`,
        drawing:
          ordered || points.length <= roomBelow(points.map(({ label }) => label))
            ? levelChart(points, scale, { metric, parameter }, ordered)
            : levelRows(points, scale, metric),
      }),
    ),
    scrolls: false,
    table: levelsTable(metric, effects),
  };
}

function levelsTable(metric: string, effects: readonly ParameterEffect[]): ReportTable {
  return {
    caption: `${metric} by parameter value: mean ± standard deviation over n trials`,
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
        meanText(spread),
        String(spread.n),
      ]),
    ),
  };
}

function levelNotes(effects: readonly ParameterEffect[]): ReportBlock[] {
  const long = effects.filter(({ levels }) => levels.length > MAX_LEVELS);
  const notes = long.map(({ parameter, levels }) => `${MAX_LEVELS} of the ${levels.length} values of ${parameter}`);
  const panels = effects.length > MAX_PANELS ? [`charts of ${MAX_PANELS} of ${effects.length} parameters`] : [];
  const shown = [...notes, ...panels];
  return shown.length === 0 ? [] : [{ kind: 'note', text: `Shown: ${shown.join('; ')}.` }];
}
