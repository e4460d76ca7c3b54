import { configsOf, rankConfigs } from '../../lib/domain/configs.ts';
import { ownValue } from '../../lib/domain/own-value.ts';
import { splitParameters } from '../../lib/domain/parameters.ts';
import { type RankedMetric, rankedMetrics, rankTrials } from '../../lib/domain/ranking.ts';
import { formatMetric } from '../../lib/text/numbers.ts';
import { parameterColumns } from '../../lib/text/parameter-columns.ts';
import { shortId } from '../../lib/text/short-id.ts';
import type { Column } from '../../lib/text/table.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { type Config, MetricAt, type Sweep, type Trial } from '../../proto/gen/trawl/v1/types.ts';
import { spreadText } from './format.ts';
import { replicatesText } from './ranking-tables.ts';
import { renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';

const CLOSING_TOP = 10;

function ranking(
  sweep: Sweep,
  trials: readonly Trial[],
  metric: RankedMetric,
  others: readonly string[],
  terminal: Terminal,
): string {
  const ranked = rankTrials(trials, metric.name, metric.goal).filter(({ rank }) => rank > 0);
  if (ranked.length === 0) return `By ${visibleText(metric.name)}: no trial reported it.\n`;
  const numeric = (header: string, cell: (trial: Trial) => string): Column<Trial> => ({ header, numeric: true, cell });
  const table = renderTable<Trial>(
    [
      numeric('rank', ({ rank }) => String(rank)),
      { header: 'trial', cell: (trial) => shortId(trial.id) },
      ...parameterColumns(trials, splitParameters(trials).varying),
      ...[metric.name, ...others].map((name) => numeric(name, (trial) => formatMetric(ownValue(trial.metrics, name)))),
    ],
    ranked.slice(0, CLOSING_TOP),
    terminal,
  );
  return `${heading(metric, sweep, ranked.length)}:\n${table}`;
}

function configRanking(
  sweep: Sweep,
  configs: readonly Config[],
  metric: RankedMetric,
  others: readonly string[],
  terminal: Terminal,
): string {
  const ranked = rankConfigs(configs, metric.name, metric.goal).filter(({ rank }) => rank > 0);
  if (ranked.length === 0) return `By ${visibleText(metric.name)}: no trial reported it.\n`;
  const numeric = (header: string, cell: (config: Config) => string): Column<Config> => ({
    header,
    numeric: true,
    cell,
  });
  const table = renderTable<Config>(
    [
      numeric('rank', ({ rank }) => String(rank)),
      { header: 'config', cell: ({ id }) => shortId(id) },
      ...parameterColumns(configs, splitParameters(configs).varying),
      ...[metric.name, ...others].map((name) => numeric(name, ({ metrics }) => spreadText(ownValue(metrics, name)))),
      { header: 'replicates', cell: replicatesText },
    ],
    ranked.slice(0, CLOSING_TOP),
    terminal,
  );
  return `${heading(metric, sweep, ranked.length)}, mean ± standard deviation over seeds:\n${table}`;
}

function heading({ name, goal }: RankedMetric, sweep: Sweep, count: number): string {
  const best = sweep.metric?.name === name && sweep.metric.at === MetricAt.BEST ? ' (best over the steps)' : '';
  const more = count > CLOSING_TOP ? ` (top ${CLOSING_TOP} of ${count})` : '';
  return `By ${visibleText(name)}${best}, ${goal === 'minimize' ? 'lowest first' : 'highest first'}${more}`;
}

/** Renders the rankings printed at the end of a sweep: by its own metric and, if reported, by PSNR. */
export function closingRanking(sweep: Sweep, trials: readonly Trial[], terminal: Terminal): string {
  const metrics = rankedMetrics(sweep, [...new Set(trials.flatMap((trial) => Object.keys(trial.metrics)))]);
  const configs = sweep.replicates > 1 ? configsOf(trials) : undefined;
  return metrics
    .map((metric) => {
      const others = metrics.filter((other) => other !== metric).map((other) => other.name);
      if (configs !== undefined) return configRanking(sweep, configs, metric, others, terminal);
      return ranking(sweep, trials, metric, others, terminal);
    })
    .join('\n');
}
