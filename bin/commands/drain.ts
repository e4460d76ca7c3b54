import { type Command, Option } from 'commander';
import { DEFAULT_DRAIN_GRACE_MS, drainAgent, waitForDrain } from '../client/agents.ts';
import { withConnection } from '../client/connect.ts';
import {
  type OutputOptions,
  type ServerOptions,
  withHelp,
  withOutput,
  withReason,
  withServer,
} from '../options/common.ts';
import { durationOption } from '../options/values.ts';
import { printAgent } from '../output/messages.ts';

interface Options extends ServerOptions, OutputOptions {
  readonly grace: number;
  readonly reason?: string;
  readonly wait?: true;
}

async function drain(name: string, { grace, reason = '', wait, ...options }: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const agent = await drainAgent(connection, name, { graceMs: grace, reason });
    await printAgent(wait ? await waitForDrain(connection, agent) : agent, options.output);
  });
}

export function registerDrain(program: Command): void {
  const command = program
    .command('drain')
    .description('drain an agent: it takes no new trials, and hands back trials that still run after the grace period')
    .argument('<agent>', 'agent id or unambiguous prefix')
    .addOption(
      new Option('--grace <duration>', 'time that running attempts get to finish')
        .argParser(durationOption)
        .default(DEFAULT_DRAIN_GRACE_MS, '10m'),
    )
    .option('--wait', 'wait until no attempt runs on the agent, or until the agent is lost');
  withHelp(withOutput(withServer(withReason(command))), {
    examples: [
      ["trawl drain gpu-7 --reason 'new driver' --wait", 'before maintenance; the agent stays drained after a restart'],
      ['trawl drain gpu-7 --grace 0s', 'hand running trials back now; they resume elsewhere from their checkpoints'],
      ['trawl undrain gpu-7', 'let the agent take trials again'],
    ],
  }).action((agent: string, options: Options) => drain(agent, options));
}
