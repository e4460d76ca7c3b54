import { ownValue } from '../../lib/domain/own-value.ts';
import { parametersText, parameterText } from '../../lib/domain/parameters.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { formatMetric } from '../../lib/text/numbers.ts';
import { shortId } from '../../lib/text/short-id.ts';
import type { Style } from '../../lib/text/style.ts';
import { type Column, layoutTable } from '../../lib/text/table.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { Agent, AgentState, GpuFigures, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { agentState } from '../../proto/names.ts';
import { EMPTY_LINE, type StyledLine, styledLine } from '../draw/line.ts';
import type { Model } from '../state/model.ts';
import { runtimeMs } from '../state/summary.ts';
import { cursorOf, windowOf } from '../state/ui.ts';
import { listView } from './list-views.ts';

const AGENT_STYLES: Partial<Record<AgentState, Style>> = {
  AGENT_STATE_CONNECTED: 'cyan',
  AGENT_STATE_LOST: 'yellow',
  AGENT_STATE_LEFT: 'dim',
};

/** Draws the agents, and below them the GPUs and trials of the agent under the cursor. */
export function agentsView(model: Model, columns: number, lines: number): StyledLine[] {
  const { state, now } = model;
  const running = new Map<string, number>();
  for (const trial of state.trials.values()) {
    if (trial.state === 'TRIAL_STATE_RUNNING') running.set(trial.agentId, (running.get(trial.agentId) ?? 0) + 1);
  }
  const table: Column<Agent>[] = [
    { header: 'agent', cell: ({ id }) => id },
    {
      header: 'state',
      neverCut: true,
      cell: ({ state: name }) => agentState.of(name),
      style: ({ state: name }) => AGENT_STYLES[name] ?? 'magenta',
    },
    { header: 'busy', numeric: true, cell: ({ busy, slots }) => `${busy}/${slots}` },
    { header: 'this sweep', numeric: true, cell: ({ id }) => String(running.get(id) ?? 0) },
    {
      header: 'last seen',
      numeric: true,
      cell: ({ lastHeartbeatMs: at }) => (at === 0 ? '-' : `${formatSpan(now - at)} ago`),
    },
    { header: 'backend', cell: ({ backend }) => backend || '-' },
    { header: 'pack', numeric: true, cell: ({ pack }) => (pack > 1 ? `×${pack}` : '-') },
    { header: 'GPUs', cell: ({ gpus }) => gpusText(gpus) },
    { header: 'GPU util', numeric: true, cell: ({ gpuFigures }) => utilizationText(gpuFigures) },
    { header: 'host', cell: ({ host }) => host },
    { header: 'version', cell: ({ version }) => version },
    { header: 'reason', cell: ({ drainReason, quarantine }) => drainReason || (quarantine?.reason ?? '') },
  ];
  const { agents } = state;
  const indexOf = (wanted: string) => agents.findIndex(({ id }) => id === wanted);
  const chosen = agents[windowOf(cursorOf(model.ui, 'agents'), agents.length, 1, indexOf).at];
  const detail = chosen === undefined ? [] : agentDetail(model, chosen, columns).slice(0, Math.floor(lines / 2));
  const room = Math.min(agents.length + 1, lines - detail.length - 1);
  const list = listView(
    model,
    'agents',
    { columns: table, rows: agents, id: ({ id }) => id, empty: 'no agents yet' },
    columns,
    room,
  );
  return [...list, EMPTY_LINE, ...detail];
}

function gpusText(gpus: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of gpus) counts.set(name, (counts.get(name) ?? 0) + 1);
  const texts = [...counts].map(([name, count]) => (count === 1 ? name : `${count} × ${name}`));
  return texts.join(', ') || '-';
}

function utilizationText(figures: Agent['gpuFigures']): string {
  const known = figures.flatMap(({ utilization }) => (utilization === undefined ? [] : [utilization]));
  const mean = known.reduce((sum, one) => sum + one, 0) / known.length;
  return known.length === 0 ? '-' : `${Math.round(mean * 100)}%`;
}

const BAR = 10;
const GIB = 2 ** 30;

function agentDetail(model: Model, agent: Agent, columns: number): StyledLine[] {
  const running = [...model.state.trials.values()].filter(({ state, agentId }) => {
    return state === 'TRIAL_STATE_RUNNING' && agentId === agent.id;
  });
  const gpus =
    agent.gpuFigures.length === 0 ? [] : [...tableOf(gpuColumns(agent), agent.gpuFigures, columns), EMPTY_LINE];
  const trials =
    running.length === 0 ? [styledLine('idle for this sweep', 'dim')] : tableOf(trialColumns(model), running, columns);
  return [styledLine(visibleText(agent.id), 'bold'), ...gpus, ...trials];
}

function tableOf<Row>(table: readonly Column<Row>[], rows: readonly Row[], columns: number): StyledLine[] {
  const { header, rows: cells } = layoutTable(table, rows, columns);
  return [{ segments: header }, ...cells.map((segments): StyledLine => ({ segments }))];
}

function gpuColumns({ gpus }: Agent): Column<GpuFigures>[] {
  return [
    { header: 'GPU', numeric: true, cell: ({ index }) => String(index) },
    { header: 'name', cell: ({ index }) => gpus[index] ?? '-' },
    { header: 'util'.padEnd(BAR + 5), neverCut: true, cell: ({ utilization }) => barOf(utilization) },
    {
      header: 'memory'.padEnd(BAR + 5),
      neverCut: true,
      cell: ({ memoryUsedBytes: used, memoryTotalBytes: total }) =>
        barOf(used === undefined || total === undefined ? undefined : used / total),
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
    { header: 'trial', neverCut: true, cell: ({ id }) => shortId(id) },
    {
      header: 'epoch',
      numeric: true,
      cell: (trial) => [trial.epoch, parameterText(trial, 'epochs')].filter((part) => part !== '').join('/'),
    },
    { header: metric, numeric: true, cell: ({ metrics }) => formatMetric(ownValue(metrics, metric)) },
    { header: 'time', numeric: true, cell: (trial) => formatSpan(runtimeMs(trial, now)) },
    { header: 'parameters', cell: (trial) => parametersText(trial, state.varying) },
  ];
}
