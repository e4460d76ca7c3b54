import { splitParameters } from '../../lib/domain/parameters.ts';
import { parameterColumns } from '../../lib/text/parameter-columns.ts';
import { shortId } from '../../lib/text/short-id.ts';
import type { Column } from '../../lib/text/table.ts';
import type { Config } from '../../proto/gen/trawl/v1/types.ts';
import { metricNames } from './metric-names.ts';
import { sharedLine } from './shared-line.ts';
import { spreadText } from './spread-text.ts';
import { renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';

export interface ConfigTable {
  readonly configs: readonly Config[];
  /** The metric that ranks: the first metric column. */
  readonly by: string;
  /** The sweep's trainer: the order of the other metrics. */
  readonly trainer: string;
}

/** `3 succeeded`, `2 succeeded, 1 failed`: a replicate without a result is seen, not left out. */
export function replicatesText({ counts }: Config): string {
  const some = Object.entries(counts ?? {}).filter(([, count]) => count > 0);
  return some.map(([state, count]) => `${count} ${state}`).join(', ');
}

function hasFailures({ counts }: Config): boolean {
  return (counts?.failed ?? 0) + (counts?.cancelled ?? 0) > 0;
}

/** Configs in the order given, each metric as the mean over its replicates with their standard deviation. */
export function renderConfigs(table: ConfigTable, terminal: Terminal): string {
  const { configs, by } = table;
  const { varying, constant } = splitParameters(configs);
  const id = (text: string) => (terminal.width === undefined ? text : shortId(text));
  const [first, ...others] = metricNames(configs, table);
  const metric = (name: string): Column<Config> => ({
    header: name,
    numeric: true,
    cell: ({ metrics }) => spreadText(metrics[name]),
  });
  const columns: Column<Config>[] = [
    { header: 'rank', numeric: true, cell: ({ rank }) => (rank === 0 ? '-' : String(rank)) },
    { header: 'config', cell: (config) => id(config.id) },
    ...parameterColumns(configs, varying),
    ...(first === undefined ? [] : [metric(first)]),
    { header: 'n', numeric: true, cell: ({ metrics }) => String(metrics[by]?.n ?? 0) },
    { header: 'replicates', cell: replicatesText, style: (config) => (hasFailures(config) ? 'yellow' : undefined) },
    ...others.map(metric),
    { header: 'trials', cell: ({ trialIds }) => trialIds.map(id).join(' ') },
  ];
  return sharedLine(constant, terminal) + renderTable(columns, configs, terminal);
}
