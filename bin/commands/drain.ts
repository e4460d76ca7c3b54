import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import type { Agent } from '../../proto/gen/trawl/v1/types.ts';
import { agentState } from '../../proto/names.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import {
  durationOption,
  type OutputOptions,
  type ServerOptions,
  withHelp,
  withOutput,
  withServer,
} from '../options/common.ts';
import { printAgent } from '../output/messages.ts';

type Options = ServerOptions &
  OutputOptions & { readonly grace: number; readonly reason?: string; readonly wait?: true };

const DEFAULT_GRACE_MS = 600_000;
const POLL_MS = 500;

async function drain(name: string, { grace, reason = '', wait, ...options }: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const request = { agent: name, graceMs: Math.round(grace), reason };
    let { agent } = await unary(connection, connection.operations.drainAgent, request);
    while (wait && agent !== undefined && agentState.of(agent.state) === 'draining') {
      await sleep(POLL_MS);
      agent = await look(connection, agent.id);
    }
    await printAgent(agent, options.output);
  });
}

async function look(connection: Connection, id: string): Promise<Agent | undefined> {
  const { agents } = await unary(connection, connection.client.listAgents, {});
  return agents.find((agent) => agent.id === id);
}

export function registerDrain(program: Command): void {
  const command = program
    .command('drain')
    .description('let an agent take nothing new; what still runs after the grace is handed back, and costs no attempt')
    .argument('<agent>', 'id, or a prefix of it')
    .addOption(
      new Option('--grace <duration>', 'how long what runs may go on')
        .argParser(durationOption)
        .default(DEFAULT_GRACE_MS, '10m'),
    )
    .option('--reason <text>', 'why: shown wherever the agent is')
    .option('--wait', 'end when nothing runs on it any more, or it is lost');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ["trawl drain gpu-7 --reason 'new driver' --wait", 'then work on the machine; it stays drained when it is back'],
      ['trawl drain gpu-7 --grace 0s', 'hand back at once: others go on from the checkpoints'],
      ['trawl undrain gpu-7', 'let it take work again'],
    ],
  }).action((agent: string, options: Options) => drain(agent, options));
}
