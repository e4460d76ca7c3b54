import type { ParameterEffect } from '../../../coordinator/analysis/importance.ts';
import { ownValue } from '../../../lib/domain/own-value.ts';
import { objectivesOf } from '../../../lib/domain/ranking.ts';
import { leftOutOfMeansText } from '../../../lib/domain/trial-result.ts';
import { formatSpan } from '../../../lib/text/duration.ts';
import { countText, formatCount, formatMetric } from '../../../lib/text/numbers.ts';
import { shortId } from '../../../lib/text/short-id.ts';
import type { Spread } from '../../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../../proto/names.ts';
import { shareText } from '../charts/share-chart.ts';
import { commandOn, type ReportData } from '../data.ts';
import type { Highlight, ReportBlock, Section } from '../document.ts';
import { MAX_RANKED_CONFIGS } from '../limits.ts';
import { valueText } from '../parameter-levels.ts';
import { assignmentsText, objectiveOf, type VariedParameters } from '../trial-results.ts';

/** Returns the section with the table of the configs by rank. */
export function rankingSection(data: ReportData, space: VariedParameters): Section {
  const metric = objectiveOf(data);
  const shown = data.configs.slice(0, MAX_RANKED_CONFIGS);
  const objectives = objectivesOf(data.sweep).map(({ name }) => name);
  const further = objectives.filter((name) => name !== metric);
  const others = [...new Set(shown.flatMap(({ metrics }) => Object.keys(metrics)))]
    .filter((name) => name !== metric && !further.includes(name))
    .sort();
  const numeric = (name: string) => shown.every((c) => typeof space.parameters.get(c)?.[name] === 'number');
  const columns = [
    { header: 'rank', numeric: true },
    ...(objectives.length > 0 ? [{ header: 'front', numeric: true }] : []),
    ...[metric, ...further].map((header) => ({ header, numeric: true })),
    { header: 'n', numeric: true },
    ...space.varying.map((name) => ({ header: name, numeric: numeric(name) })),
    ...others.map((header) => ({ header, numeric: true })),
    { header: 'failed', numeric: true },
    { header: 'config', numeric: false },
  ];
  const rows = shown.map((config) => [
    config.rank === 0 ? '-' : String(config.rank),
    ...(objectives.length > 0 ? [config.front === undefined ? '-' : String(config.front)] : []),
    ...[metric, ...further].map((name) => meanText(ownValue(config.metrics, name))),
    String(ownValue(config.metrics, metric)?.n ?? 0),
    ...space.varying.map((name) => valueText(space.parameters.get(config)?.[name])),
    ...others.map((name) => meanText(ownValue(config.metrics, name))),
    String(config.counts?.failed ?? 0),
    shortId(config.id),
  ]);
  const by =
    objectives.length > 0 ? `${objectives.join(', ')} (by Pareto front, then by hypervolume contribution)` : metric;
  const at = data.spec.metric.at === 'best' ? `${metric} at its best epoch` : 'each at its last epoch';
  const caption = `Configs by ${by}: mean ± standard deviation over n replicates, ${at}`;
  const leftOut = leftOutOfMeansText(data.configs);
  return {
    id: 'ranking',
    title: 'Ranking',
    blocks: [
      ...(shown.some(({ rank }) => rank > 0) ? [] : [{ kind: 'text', text: 'No config has a result yet.' } as const]),
      { kind: 'table', table: { caption, columns, rows } },
      ...(leftOut === '' ? [] : [{ kind: 'note', text: `${leftOut}.` } as const]),
      ...restNote(data),
    ],
  };
}

/** Formats a mean such as `0.0123 ± 0.0001`. The deviation is omitted if there is only one value. */
export function meanText(spread: Spread | undefined): string {
  if (spread === undefined) return '-';
  if (spread.n < 2) return formatMetric(spread.mean);
  return `${formatMetric(spread.mean)} ± ${twoDigits(spread.std)}`;
}

function twoDigits(std: number): string {
  if (std === 0 || std >= 10) return String(Math.round(std));
  return std < 1e-4 ? std.toExponential(1) : std.toPrecision(2);
}

function restNote(data: ReportData): ReportBlock[] {
  const all = data.configs.length;
  if (all <= MAX_RANKED_CONFIGS) return [];
  const text =
    `Only the first ${MAX_RANKED_CONFIGS} of ${formatCount(all)} configs are listed; ` +
    `"${commandOn(data, `export ${data.sweep.id} -f csv`)}" exports every trial.`;
  return [{ kind: 'note', text }];
}

/** Returns the key results at the top of the report. */
export function highlightsOf(data: ReportData, space: VariedParameters): Highlight[] {
  return [bestOf(data, space), verdictsOf(data), mainEffectOf(data), trialsOf(data)].filter((of) => of !== undefined);
}

function bestOf(data: ReportData, space: VariedParameters): Highlight | undefined {
  const metric = objectiveOf(data);
  const best = data.configs.find(({ rank }) => rank === 1);
  if (best === undefined) return undefined;
  const detail = assignmentsText(space.parameters.get(best) ?? {}, space.varying);
  return { label: `best ${metric}`, value: meanText(ownValue(best.metrics, metric)), detail };
}

function verdictsOf({ judged }: ReportData): Highlight | undefined {
  if (judged.length === 0) return undefined;
  const count = (verdict: string) => judged.filter((one) => one.verdict === verdict).length;
  return {
    label: 'hypotheses supported',
    value: `${count('supported')} of ${judged.length}`,
    detail: `${count('refuted')} refuted, ${count('undecided')} undecided`,
  };
}

/** An effect is significant if its p-value is below this level. */
const SIGNIFICANT = 0.05;

const mainTrials = ({ levels }: ParameterEffect): number => levels.reduce((total, { spread }) => total + spread.n, 0);

function mainEffectOf({ importance }: ReportData): Highlight | undefined {
  const main = importance?.effects[0];
  if (importance === undefined || main === undefined) return undefined;
  const subset = importance.balanced ? '' : `, in a subset of ${countText(mainTrials(main), 'trial')}`;
  const share = `${shareText(main.share)} of the variation of ${importance.metric}${subset}`;
  if (main.p === undefined || main.p < SIGNIFICANT)
    return { label: 'what matters most', value: main.parameter, detail: share };
  return {
    label: 'largest effect',
    value: `${main.parameter}, not significant`,
    detail: `p = ${main.p.toFixed(3)}; ${share}`,
  };
}

function trialsOf({ sweep, trials }: ReportData): Highlight {
  const failed = sweep.counts?.failed ?? 0;
  const done = (sweep.counts?.succeeded ?? 0) + (sweep.counts?.stopped ?? 0);
  const took =
    sweep.endedAtMs === 0 ? sweepState.of(sweep.state) : `in ${formatSpan(sweep.endedAtMs - sweep.createdAtMs)}`;
  return {
    label: 'trials with a result',
    value: `${formatCount(done)} of ${formatCount(trials.length)}`,
    detail: `${failed === 0 ? 'none' : formatCount(failed)} failed, ${took}`,
  };
}
