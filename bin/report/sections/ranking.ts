import { formatMetric } from '../../../dashboard/draw/numbers.ts';
import { shortId } from '../../../dashboard/draw/short-id.ts';
import type { Config, Spread } from '../../../proto/gen/trawl/v1/types.ts';
import type { ReportData } from '../data.ts';
import type { Block, Section } from '../document.ts';
import { MAX_RANKED_CONFIGS } from '../limits.ts';
import { valueText } from '../parameter-levels.ts';
import { grouped, objectiveOf, type Space, settingText } from '../trial-results.ts';

/** The configs, best first. */
export function rankingSection(data: ReportData, space: Space): Section {
  const metric = objectiveOf(data);
  const shown = data.configs.slice(0, MAX_RANKED_CONFIGS);
  const others = [...new Set(shown.flatMap(({ metrics }) => Object.keys(metrics)))]
    .filter((name) => name !== metric)
    .sort();
  const names = [metric, ...others];
  const numeric = (name: string) => shown.every((c) => typeof space.parameters.get(c)?.[name] === 'number');
  const columns = [
    { header: 'rank', numeric: true },
    ...space.varying.map((name) => ({ header: name, numeric: numeric(name) })),
    ...names.map((header) => ({ header, numeric: true })),
    { header: 'n', numeric: true },
    { header: 'failed', numeric: true },
    { header: 'config', numeric: false },
  ];
  const rows = shown.map((config) => [
    config.rank === 0 ? '-' : String(config.rank),
    ...space.varying.map((name) => valueText(space.parameters.get(config)?.[name])),
    ...names.map((name) => spreadText(config.metrics[name])),
    String(config.metrics[metric]?.n ?? 0),
    String(config.counts?.failed ?? 0),
    shortId(config.id),
  ]);
  const caption = `Configs by ${metric}: mean ± standard deviation over n replicates, at their last epoch`;
  return {
    id: 'ranking',
    title: 'The ranking',
    blocks: [
      bestText(data, space, metric),
      { kind: 'table', table: { caption, columns, rows } },
      ...restNote(data.configs.length, data.sweep.id),
    ],
  };
}

function bestText(data: ReportData, space: Space, metric: string): Block {
  const best = data.configs[0];
  if (best === undefined || best.rank === 0) return { kind: 'text', text: 'No config has a result yet.' };
  const setting = settingText(space.parameters.get(best) ?? {}, space.varying);
  return {
    kind: 'text',
    text: `Best: ${metric} ${resultText(best, metric)}${setting === '' ? '' : ` at ${setting}`}.`,
  };
}

/** `0.02 ± 0.001 (n = 3)` */
export function resultText(config: Config, metric: string): string {
  const spread = config.metrics[metric];
  return spread === undefined ? '-' : `${spreadText(spread)} (n = ${spread.n})`;
}

/** Of the mean: below it a spread is what rounding leaves of equal values. */
const ROUNDING = 1e-12;

/** `0.0123 ± 0.0001`; one value has no spread. */
export function spreadText(spread: Spread | undefined): string {
  if (spread === undefined) return '-';
  if (spread.n < 2) return formatMetric(spread.mean);
  const std = spread.std < ROUNDING * Math.abs(spread.mean) ? 0 : spread.std;
  return `${formatMetric(spread.mean)} ± ${Number(std.toPrecision(2))}`;
}

function restNote(all: number, sweep: string): Block[] {
  if (all <= MAX_RANKED_CONFIGS) return [];
  const text =
    `The first ${MAX_RANKED_CONFIGS} of ${grouped(all)} configs are shown, the most that a report lists; ` +
    `"trawl export ${sweep} -f csv" has every trial.`;
  return [{ kind: 'note', text }];
}
