import type { Command } from 'commander';
import { expiryState } from '../../lib/net/expiry.ts';
import { agentReason } from '../../lib/text/agent-reason.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import type { Column } from '../../lib/text/table.ts';
import { type Agent, AgentState } from '../../proto/gen/trawl/v1/types.ts';
import { agentState } from '../../proto/names.ts';
import { withConnection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import {
  type GlobalOptions,
  type OutputOptions,
  type ServerOptions,
  withHelp,
  withOutput,
  withServer,
} from '../options/common.ts';
import { agoText } from '../output/format.ts';
import { agentJson } from '../output/json.ts';
import { print, printJson } from '../output/print.ts';
import { renderTable } from '../output/table.ts';
import { resultTerminal } from '../output/terminal.ts';

type Options = GlobalOptions & ServerOptions & OutputOptions;

/** Returns `expired` or, for example, `expires in 3d`; empty if the agent's certificate does not expire soon. */
function expiryOf({ certificateExpiresMs: at }: Agent, now: number): string {
  if (at === 0) return '';
  const state = expiryState(at / 1_000, now);
  if (state === 'valid') return '';
  return state === 'expired' ? 'expired' : `expires in ${formatSpan(at - now)}`;
}

function columns(now: number, agents: readonly Agent[]): Column<Agent>[] {
  const certificate = { header: 'certificate', cell: (agent: Agent) => expiryOf(agent, now) || '-' };
  const reason = { header: 'reason', cell: (agent: Agent) => agentReason(agent) || '-' };
  return [
    { header: 'agent', elide: 'common', cell: (agent) => agent.id },
    {
      header: 'state',
      neverCut: true,
      required: true,
      cell: (agent) => agentState.of(agent.state),
      style: ({ state }) => (state === AgentState.CONNECTED ? 'cyan' : state === AgentState.LEFT ? 'dim' : 'yellow'),
    },
    { header: 'busy', numeric: true, cell: (agent) => `${agent.busy}/${agent.slots}` },
    { header: 'backend', cell: (agent) => agent.backend || '-' },
    { header: 'gpus', cell: (agent) => agent.gpus.join(', ') || '-' },
    { header: 'last seen', cell: (agent) => agoText(agent.lastHeartbeatMs, now) },
    { header: 'host', elide: 'common', cell: (agent) => agent.host },
    { header: 'version', cell: (agent) => agent.version },
    ...(agents.some((agent) => expiryOf(agent, now) !== '') ? [certificate] : []),
    ...(agents.some((agent) => agentReason(agent) !== '') ? [reason] : []),
  ];
}

async function agents(options: Options): Promise<void> {
  const answer = await withConnection(options, (connection) => unary(connection, connection.client.listAgents, {}));
  if (options.output === 'json') return printJson(answer.agents.map(agentJson));
  if (answer.agents.length === 0) return print('no agents; start one with "trawl agent"\n');
  return print(renderTable(columns(Date.now(), answer.agents), answer.agents, resultTerminal(options)));
}

export function registerAgents(program: Command): void {
  const command = program.command('agents').description('list the agents');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl agents', 'state, slots and GPUs of each agent; why an agent takes no trials'],
      ['trawl agents -o json', 'the same as JSON, with GPU utilization'],
    ],
  }).action((_options: Options, self: Command) => agents(self.optsWithGlobals<Options>()));
}
