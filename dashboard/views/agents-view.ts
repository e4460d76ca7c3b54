import { formatSpan } from '../../lib/text/numbers.ts';
import { EMPTY_LINE, type StyledLine } from '../../lib/text/segment.ts';
import type { Column } from '../../lib/text/table.ts';
import { type Agent, AgentState } from '../../proto/gen/trawl/v1/types.ts';
import { agentState } from '../../proto/names.ts';
import type { Model } from '../state/model.ts';
import { cursorOf } from '../state/ui.ts';
import { windowOf } from '../state/window.ts';
import { agentDetail } from './agent-detail.ts';
import { listView } from './list-view.ts';

/** The machines: what they have, what they do, when they were last heard of; below, more of the one under the cursor. */
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
      cell: ({ state: name }) => agentState.of(name),
      style: ({ state: name }) =>
        name === AgentState.CONNECTED ? 'cyan' : name === AgentState.LOST ? 'yellow' : 'magenta',
    },
    { header: 'busy', numeric: true, cell: ({ busy, slots }) => `${busy}/${slots}` },
    { header: 'of this sweep', numeric: true, cell: ({ id }) => String(running.get(id) ?? 0) },
    {
      header: 'heard',
      numeric: true,
      cell: ({ lastHeartbeatMs: at }) => (at === 0 ? '-' : `${formatSpan(now - at)} ago`),
    },
    { header: 'backend', cell: ({ backend }) => backend || '-' },
    { header: 'pack', numeric: true, cell: ({ pack }) => (pack > 1 ? `×${pack}` : '-') },
    { header: 'GPUs', cell: ({ gpus }) => gpusText(gpus) },
    { header: 'in use', numeric: true, cell: ({ gpuFigures }) => busyText(gpuFigures) },
    { header: 'host', cell: ({ host }) => host },
    { header: 'version', cell: ({ version }) => version },
    { header: 'why drained', cell: ({ drainReason }) => drainReason },
  ];
  const { agents } = state;
  const indexOf = (wanted: string) => agents.findIndex(({ id }) => id === wanted);
  const chosen = agents[windowOf(cursorOf(model.ui, 'agents'), agents.length, 1, indexOf).at];
  const detail = chosen === undefined ? [] : agentDetail(model, chosen, columns).slice(0, Math.floor(lines / 2));
  const room = Math.min(agents.length + 1, lines - detail.length - 1);
  const list = listView(model, 'agents', { columns: table, rows: agents, id: ({ id }) => id }, columns, room);
  return [...list, EMPTY_LINE, ...detail];
}

/** `2 × NVIDIA H100`. */
function gpusText(gpus: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of gpus) counts.set(name, (counts.get(name) ?? 0) + 1);
  const texts = [...counts].map(([name, count]) => (count === 1 ? name : `${count} × ${name}`));
  return texts.join(', ') || '-';
}

/** Of all its GPUs together. */
function busyText(figures: Agent['gpuFigures']): string {
  const told = figures.flatMap(({ utilization }) => (utilization === undefined ? [] : [utilization]));
  const mean = told.reduce((sum, one) => sum + one, 0) / told.length;
  return told.length === 0 ? '-' : `${Math.round(mean * 100)}%`;
}
