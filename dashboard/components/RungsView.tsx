import { max } from 'd3-array';
import { Box } from 'ink';
import { formatMetric, formatStep } from '../../lib/text/numbers.ts';
import type { Segment } from '../../lib/text/segment.ts';
import { trialStyle } from '../../lib/text/style.ts';
import type { Column } from '../../lib/text/table.ts';
import type { RungSummary } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Model } from '../state/model.ts';
import { Label, Line } from './Line.tsx';
import { LineageTable } from './LineageTable.tsx';
import { Table } from './Table.tsx';

interface Props {
  readonly model: Model;
  readonly columns: number;
}

/** The width of the table, and the minimum width of a bar beside the table. */
const TABLE_COLUMNS = 62;
const LEAST_BAR = 34;

const HELD: Column<RungSummary> = { header: 'held', numeric: true, cell: ({ held }) => String(held) };

/**
 * The rungs of the early-stopping rule: how many trials reached each rung, and how many the rule stopped there.
 * For a population, the view also shows the lineage.
 */
export function RungsView({ model, columns }: Props) {
  const { rungs: found } = model;
  const metric = model.board.metrics[0]?.name ?? 'value';
  if (found === undefined) return <Label text="loading the rungs..." columns={columns} style="dim" />;
  if (found.rule === '') return <Label text="the sweep has no early stopping" columns={columns} style="dim" />;
  const { rule, rungs } = found;
  const table: Column<RungSummary>[] = [
    { header: 'rung', numeric: true, cell: ({ rung }) => formatStep(rung) },
    { header: 'reached', numeric: true, required: true, cell: ({ reached }) => String(reached) },
    { header: 'stopped', numeric: true, required: true, cell: ({ stopped }) => String(stopped) },
    { header: 'running', numeric: true, cell: ({ running }) => String(running) },
    ...(rungs.some(({ held }) => held > 0) ? [HELD] : []),
    { header: 'cut-off', numeric: true, required: true, cell: ({ bound }) => formatMetric(bound) },
    { header: `best ${metric}`, numeric: true, cell: ({ best }) => formatMetric(best) },
  ];
  const most = max(rungs, ({ reached }) => reached) ?? 0;
  const width = columns - TABLE_COLUMNS;
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Label text={`early stopping: ${rule}`} columns={columns} style="bold" />
      {rule.startsWith('pbt') && hasChildren(model) ? (
        <Box paddingTop={1} flexShrink={0}>
          <LineageTable model={model} columns={columns} />
        </Box>
      ) : null}
      {rungs.length === 0 ? <Label text="no trial has reached a rung" columns={columns} style="dim" /> : null}
      <Box paddingTop={1} flexShrink={0}>
        {rungs.length === 0 ? null : <Table table={table} rows={rungs} columns={Math.min(columns, TABLE_COLUMNS)} />}
        {rungs.length === 0 || width < LEAST_BAR ? null : (
          <Box flexDirection="column" flexShrink={0}>
            <Label text="█ continued  ▓ stopped  ▒ running or held" columns={width} style="dim" />
            {rungs.map((one) => (
              <Line key={one.rung} segments={barOf(one, most, width)} columns={width} />
            ))}
          </Box>
        )}
      </Box>
    </Box>
  );
}

function hasChildren({ state }: Model): boolean {
  for (const { origin } of state.trials.values()) if (origin !== undefined) return true;
  return false;
}

/** Returns the bar of a rung. The rung with the largest number of trials has a bar of the full width. */
function barOf({ reached, stopped, running, held }: RungSummary, most: number, width: number): Segment[] {
  const cells = (count: number) => Math.round((count / Math.max(1, most)) * width);
  const continued = reached - stopped - running - held;
  return [
    { text: '█'.repeat(cells(continued)), style: trialStyle('succeeded') },
    { text: '▓'.repeat(cells(continued + stopped) - cells(continued)), style: trialStyle('stopped') },
    { text: '▒'.repeat(cells(reached) - cells(continued + stopped)), style: trialStyle('running') },
  ];
}
