import { type Agent, AgentState } from '../../proto/gen/trawl/v1/types.ts';
import { agentState } from '../../proto/names.ts';
import { formatSpan } from '../draw/numbers.ts';
import type { Line } from '../draw/segment.ts';
import { shortId } from '../draw/short-id.ts';
import type { Column } from '../draw/table.ts';
import type { Model } from '../state/model.ts';
import { listView } from './list-view.ts';

/** The machines: what they have, what they do, when they were last heard of. */
export function agentsView(model: Model, columns: number, lines: number): Line[] {
  const { state, now } = model;
  const running = new Map<string, string[]>();
  for (const trial of state.trials.values()) {
    if (trial.state !== 'TRIAL_STATE_RUNNING') continue;
    running.set(trial.agentId, [...(running.get(trial.agentId) ?? []), shortId(trial.id)]);
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
    {
      header: 'heard',
      numeric: true,
      cell: ({ lastHeartbeatMs: at }) => (at === 0 ? '-' : `${formatSpan(now - at)} ago`),
    },
    { header: 'backend', cell: ({ backend }) => backend },
    { header: 'GPUs', cell: ({ gpus }) => gpus.join(', ') || '-' },
    { header: 'trials of this sweep', cell: ({ id }) => (running.get(id) ?? []).join(' ') || '-' },
    { header: 'why drained', cell: ({ drainReason }) => drainReason },
    { header: 'host', cell: ({ host }) => host },
    { header: 'version', cell: ({ version }) => version },
  ];
  return listView(model, 'agents', { columns: table, rows: state.agents, id: ({ id }) => id }, columns, lines);
}
