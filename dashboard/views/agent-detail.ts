/** What one agent's GPUs do, and the trials that it runs. */

import { parametersText, parameterText } from '../../lib/domain/parameters.ts';
import { formatMetric, formatSpan } from '../../lib/text/numbers.ts';
import { EMPTY_LINE, line, type StyledLine } from '../../lib/text/segment.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { type Column, layoutTable } from '../../lib/text/table.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { Agent, GpuFigures, Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { Model } from '../state/model.ts';
import { tookMs } from '../state/summary.ts';

const BAR = 10;
const GIB = 2 ** 30;

export function agentDetail(model: Model, agent: Agent, columns: number): StyledLine[] {
  const running = [...model.state.trials.values()].filter(({ state, agentId }) => {
    return state === 'TRIAL_STATE_RUNNING' && agentId === agent.id;
  });
  const gpus =
    agent.gpuFigures.length === 0 ? [] : [...tableOf(gpuColumns(agent), agent.gpuFigures, columns), EMPTY_LINE];
  const trials =
    running.length === 0
      ? [line('it runs no trial of this sweep', 'dim')]
      : tableOf(trialColumns(model), running, columns);
  return [line(visibleText(agent.id), 'bold'), ...gpus, ...trials];
}

function tableOf<Row>(table: readonly Column<Row>[], rows: readonly Row[], columns: number): StyledLine[] {
  const { header, rows: cells } = layoutTable(table, rows, columns);
  return [{ segments: header }, ...cells.map((segments): StyledLine => ({ segments }))];
}

function gpuColumns({ gpus }: Agent): Column<GpuFigures>[] {
  return [
    { header: 'GPU', numeric: true, cell: ({ index }) => String(index) },
    { header: 'name', cell: ({ index }) => gpus[index] ?? '-' },
    { header: 'in use'.padEnd(BAR + 5), whole: true, cell: ({ utilization }) => barOf(utilization) },
    {
      header: 'memory'.padEnd(BAR + 5),
      whole: true,
      cell: ({ memoryUsedBytes: used, memoryTotalBytes: total }) => barOf(used && total && used / total),
    },
    {
      header: 'GiB',
      numeric: true,
      cell: ({ memoryUsedBytes: used, memoryTotalBytes: total }) =>
        used === undefined || total === undefined ? '-' : `${(used / GIB).toFixed(1)}/${(total / GIB).toFixed(0)}`,
    },
    { header: '°C', numeric: true, cell: ({ temperatureCelsius }) => temperatureCelsius?.toFixed(0) ?? '-' },
    { header: 'W', numeric: true, cell: ({ powerWatts }) => powerWatts?.toFixed(0) ?? '-' },
  ];
}

function barOf(share: number | undefined): string {
  if (share === undefined || !Number.isFinite(share)) return '-';
  const within = Math.min(1, Math.max(0, share));
  const cells = Math.round(within * BAR);
  return `${'█'.repeat(cells)}${'░'.repeat(BAR - cells)} ${String(Math.round(within * 100)).padStart(3)}%`;
}

function trialColumns({ board, state, now }: Model): Column<Trial>[] {
  const metric = board.metrics[0]?.name ?? '';
  return [
    { header: 'trial', whole: true, cell: ({ id }) => shortId(id) },
    {
      header: 'epoch',
      numeric: true,
      cell: (trial) => [trial.epoch, parameterText(trial, 'epochs')].filter((part) => part !== '').join('/'),
    },
    { header: metric, numeric: true, cell: ({ metrics }) => formatMetric(metrics[metric]) },
    { header: 'took', numeric: true, cell: (trial) => formatSpan(tookMs(trial, now)) },
    { header: 'parameters', cell: (trial) => parametersText(trial, state.varying) },
  ];
}
