import { formatMetric } from '../../dashboard/draw/numbers.ts';
import { parameterColumns } from '../../dashboard/draw/parameter-columns.ts';
import { shortId } from '../../dashboard/draw/short-id.ts';
import type { Column } from '../../dashboard/draw/table.ts';
import { visibleText } from '../../dashboard/draw/visible-text.ts';
import { splitParameters } from '../../dashboard/state/parameters.ts';
import { placesOf, type RankedMetric, rankedMetrics, rankTrials } from '../../dashboard/state/ranking.ts';
import type { Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';

/** Places shown of each ranking. */
const CLOSING_TOP = 10;

function ranking(
  trials: readonly Trial[],
  metric: RankedMetric,
  others: readonly string[],
  terminal: Terminal,
): string {
  const places = placesOf(trials, metric);
  const ranked = rankTrials(trials, metric);
  if (ranked.length === 0) return `By ${visibleText(metric.name)}: no trial has a value of it.\n`;
  const numeric = (header: string, cell: (trial: Trial) => string): Column<Trial> => ({ header, numeric: true, cell });
  const table = renderTable<Trial>(
    [
      numeric('rank', (trial) => String(places.get(trial.id) ?? '')),
      { header: 'trial', cell: (trial) => shortId(trial.id) },
      ...parameterColumns(trials, splitParameters(trials).varying),
      ...[metric.name, ...others].map((name) => numeric(name, (trial) => formatMetric(trial.metrics[name]))),
    ],
    ranked.slice(0, CLOSING_TOP),
    terminal,
  );
  const more = ranked.length > CLOSING_TOP ? ` (the best ${CLOSING_TOP} of ${ranked.length})` : '';
  const direction = metric.goal === 'minimize' ? 'lowest first' : 'highest first';
  return `By ${visibleText(metric.name)}, ${direction}${more}:\n${table}`;
}

/** The rankings that close a sweep: by its own metric, and by PSNR where it is reported. */
export function closingRanking(sweep: Sweep, trials: readonly Trial[], terminal: Terminal): string {
  const metrics = rankedMetrics(sweep, trials);
  return metrics
    .map((metric) => {
      const others = metrics.filter((other) => other !== metric).map((other) => other.name);
      return ranking(trials, metric, others, terminal);
    })
    .join('\n');
}
