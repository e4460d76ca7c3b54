import { Box } from 'ink';
import { ownValue } from '../../lib/domain/own-value.ts';
import { hasNoEstimate, NO_ESTIMATE_TEXT } from '../../lib/domain/progress.ts';
import { objectiveText } from '../../lib/domain/ranking.ts';
import { noCounts } from '../../lib/domain/trial-state.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { countText, formatSpread } from '../../lib/text/numbers.ts';
import { parameterColumns } from '../../lib/text/parameter-columns.ts';
import type { Segment } from '../../lib/text/segment.ts';
import { sweepStyle } from '../../lib/text/style.ts';
import { sweepStateText } from '../../lib/text/sweep-state.ts';
import type { Column } from '../../lib/text/table.ts';
import { percentText, progressText, toComeText } from '../../lib/text/trials-to-come.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { columnsOf } from '../../lib/text/width.ts';
import type { Config, Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { sweepState } from '../../proto/names.ts';
import { wrapWords } from '../draw/wrap-words.ts';
import type { Model } from '../state/model.ts';
import { Label, Line } from './Line.tsx';
import { Table } from './Table.tsx';

interface Props {
  readonly model: Model;
  readonly sweep: Sweep;
  readonly columns: number;
  readonly lines: number;
}

/** At most this many warnings are shown, newest first. */
const MAX_WARNINGS = 3;
/** The number of lines for the name, the counts and the plan. */
const FACT_LINES = 3;

/** The sweep under the cursor of the list of sweeps: its state, its warnings and its best configs. */
export function SweepPreview({ model, sweep, columns, lines }: Props) {
  const best = model.bestOf(sweep.id);
  const warnings = sweep.warnings
    .slice(-MAX_WARNINGS)
    .toReversed()
    .flatMap(({ message }) => wrapWords(`warning: ${visibleText(message)}`, columns));
  const reason = sweep.reason === '' ? '' : `: ${sweep.reason}`;
  const state = visibleText(sweepStateText(sweep, model.now) + reason);
  const stateStyle = sweepStyle(sweepState.of(sweep.state));
  const title: Segment = { text: visibleText(`sweep ${sweep.id}  ${sweep.name}`), style: 'bold' };
  const isShort = columnsOf(`${title.text}  ${state}`) <= columns;
  const below = isShort ? [] : wrapWords(state, columns);
  const rows = lines - 1 - FACT_LINES - below.length - warnings.length - 1;
  return (
    <Box flexDirection="column" height={lines} paddingTop={1} flexShrink={0} overflowY="hidden">
      <Line segments={isShort ? [title, { text: `  ${state}`, style: stateStyle }] : [title]} columns={columns} />
      {below.map((text, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line has no key other than its index
        <Label key={at} text={text} columns={columns} style={stateStyle} />
      ))}
      <Label text={countsText(sweep)} columns={columns} />
      <Label text={planText(sweep, model.now)} columns={columns} style="dim" />
      {warnings.map((text, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line has no key other than its index
        <Label key={at} text={text} columns={columns} style="yellow" />
      ))}
      {rows < 1 ? null : <BestConfigs sweep={sweep} configs={best?.slice(0, rows)} columns={columns} />}
    </Box>
  );
}

function countsText(sweep: Sweep): string {
  const { offered, ...counts } = sweep.counts ?? noCounts();
  const parts = Object.entries({ ...counts, pending: counts.pending + offered })
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`);
  const done = `${percentText(sweep)}, ${progressText(sweep)} finished`;
  const estimate = hasNoEstimate(sweep) ? NO_ESTIMATE_TEXT : '';
  return [done, ...parts, estimate, toComeText(sweep)].filter(Boolean).join(' · ');
}

function planText(sweep: Sweep, now: number): string {
  const { createdAtMs, configs, replicates, axes, trainer } = sweep;
  return [
    `submitted ${formatSpan(Math.max(0, now - createdAtMs))} ago`,
    `${countText(configs, 'config')}${replicates > 1 ? ` with ${replicates} replicates` : ''}`,
    objectiveText(sweep),
    trainer,
    axes.length === 0 ? '' : `varies ${axes.join(', ')}`,
  ]
    .filter(Boolean)
    .join(' · ');
}

interface BestProps {
  readonly sweep: Sweep;
  /** Undefined until the best configs are known. */
  readonly configs: readonly Config[] | undefined;
  readonly columns: number;
}

function BestConfigs({ sweep, configs, columns }: BestProps) {
  if (configs === undefined) return <Label text="loading the best configs..." columns={columns} style="dim" />;
  const metric = sweep.metric?.name ?? '';
  const ranked = configs.filter(({ metrics }) => ownValue(metrics, metric) !== undefined);
  if (ranked.length === 0) return <Label text="no config has a result yet" columns={columns} style="dim" />;
  const parameters = parameterColumns(ranked, sweep.axes);
  const table: Column<Config>[] = [
    { header: '#', numeric: true, cell: ({ rank }) => String(rank) },
    {
      header: metric,
      numeric: true,
      required: true,
      cell: ({ metrics }) => formatSpread(ownValue(metrics, metric)),
    },
    ...parameters.own,
    ...parameters.determined,
  ];
  return <Table table={table} rows={ranked} columns={columns} />;
}
