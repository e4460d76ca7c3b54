import { Box } from 'ink';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { trialState } from '../../proto/names.ts';
import { formatMetric } from '../draw/numbers.ts';
import { parameterColumns } from '../draw/parameter-columns.ts';
import { shortId } from '../draw/short-id.ts';
import { trialStyle } from '../draw/style.ts';
import { type Column, layoutTable } from '../draw/table.ts';
import type { DashboardState } from '../state/dashboard-state.ts';
import { placesOf, rankedMetrics, rankTrials } from '../state/ranking.ts';
import { Line, Styled } from './styled.tsx';

interface Props {
  readonly state: DashboardState;
  readonly columns: number;
  /** Lines in all, the header among them. */
  readonly lines: number;
  /** Trials scrolled past. */
  readonly offset: number;
}

/** Trials that have a place on the leaderboard: how far one can scroll. */
export function leaderboardLength(state: DashboardState): number {
  const metric = state.sweep && rankedMetrics(state.sweep, state.trials.values())[0];
  return metric === undefined ? 0 : rankTrials(state.trials.values(), metric).length;
}

/** Trials by the sweep's own metric, best first, with their place by the second metric beside it. */
export function Leaderboard({ state, columns, lines, offset }: Props) {
  if (state.sweep === undefined) return <Box height={lines} />;
  const metrics = rankedMetrics(state.sweep, state.trials.values());
  const [own] = metrics;
  const ranked = own === undefined ? [] : rankTrials(state.trials.values(), own);
  const places = metrics.map((metric) => placesOf(state.trials.values(), metric));
  const table: Column<Trial>[] = [
    ...metrics.map(
      (metric, m): Column<Trial> => ({
        header: m === 0 ? '#' : `#${metric.name}`,
        numeric: true,
        cell: (trial) => String(places[m]?.get(trial.id) ?? ''),
        style: (trial) => (places[m]?.get(trial.id) === 1 ? 'bold' : undefined),
      }),
    ),
    ...metrics.map(
      (metric): Column<Trial> => ({
        header: metric.name,
        numeric: true,
        cell: (trial) => formatMetric(trial.metrics[metric.name]),
      }),
    ),
    { header: 'trial', cell: (trial) => shortId(trial.id) },
    ...parameterColumns(ranked, state.varying),
    { header: 'epoch', numeric: true, cell: (trial) => String(trial.epoch) },
    {
      header: 'state',
      cell: (trial) => trialState.of(trial.state),
      style: (trial) => trialStyle(trialState.of(trial.state)),
    },
  ];
  const shown = ranked.slice(offset, offset + Math.max(0, lines - 1));
  const { header, rows } = layoutTable(table, shown, columns);
  return (
    <Box flexDirection="column" height={lines}>
      <Line segments={header} />
      {shown.length === 0 && <Styled style="dim">no trial has reported yet</Styled>}
      {shown.map((trial, i) => (
        <Line key={trial.id} segments={rows[i] ?? []} />
      ))}
    </Box>
  );
}
