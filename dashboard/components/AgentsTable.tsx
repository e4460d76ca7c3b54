import { Box } from 'ink';
import { formatSpan } from '../../lib/text/duration.ts';
import type { Style } from '../../lib/text/style.ts';
import type { Column } from '../../lib/text/table.ts';
import type { Agent, AgentState } from '../../proto/gen/trawl/v1/types.ts';
import { agentState } from '../../proto/names.ts';
import type { Model } from '../state/model.ts';
import { cursorOf, windowOf } from '../state/ui.ts';
import { AgentDetail } from './AgentDetail.tsx';
import { ListTable } from './ListTable.tsx';

const AGENT_STYLES: Partial<Record<AgentState, Style>> = {
  AGENT_STATE_CONNECTED: 'cyan',
  AGENT_STATE_LOST: 'yellow',
  AGENT_STATE_LEFT: 'dim',
};

interface Props {
  readonly model: Model;
  readonly columns: number;
  readonly lines: number;
}

/** The agents, and below them the GPUs and trials of the agent under the cursor. */
export function AgentsTable({ model, columns, lines }: Props) {
  const { state, now } = model;
  const running = new Map<string, number>();
  for (const trial of state.trials.values()) {
    if (trial.state === 'TRIAL_STATE_RUNNING') running.set(trial.agentId, (running.get(trial.agentId) ?? 0) + 1);
  }
  const table: Column<Agent>[] = [
    { header: 'agent', elide: 'common', cell: ({ id }) => id },
    {
      header: 'state',
      neverCut: true,
      required: true,
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
    { header: 'host', elide: 'common', cell: ({ host }) => host },
    { header: 'version', cell: ({ version }) => version },
    { header: 'reason', cell: ({ drainReason, quarantine }) => drainReason || (quarantine?.reason ?? '') },
  ];
  const { agents } = state;
  const indexOf = (wanted: string) => agents.findIndex(({ id }) => id === wanted);
  const chosen = agents[windowOf(cursorOf(model.ui, 'agents'), agents.length, 1, indexOf).at];
  const list = Math.min(agents.length + 1, Math.ceil(lines / 2));
  return (
    <>
      <Box flexDirection="column" height={list} flexShrink={0}>
        <ListTable
          model={model}
          view="agents"
          table={table}
          rows={agents}
          id={({ id }) => id}
          empty="no agents yet"
          columns={columns}
          lines={list}
        />
      </Box>
      {chosen === undefined || lines - list < 2 ? null : (
        <Box flexDirection="column" height={lines - list} paddingTop={1} overflowY="hidden">
          <AgentDetail model={model} agent={chosen} columns={columns} />
        </Box>
      )}
    </>
  );
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
