import type { Command } from 'commander';
import { undrainAgent } from '../client/agents.ts';
import { withConnection } from '../client/connect.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { printAgent } from '../output/messages.ts';

type Options = ServerOptions & OutputOptions;

export function registerUndrain(program: Command): void {
  const command = program
    .command('undrain')
    .description('let a drained agent take trials again')
    .argument('<agent>', 'agent id or unambiguous prefix');
  withHelp(withOutput(withServer(command)), {
    examples: [['trawl undrain gpu-7', 'after "trawl drain gpu-7"']],
  }).action((agent: string, options: Options) =>
    withConnection(options, async (connection) => printAgent(await undrainAgent(connection, agent), options.output)),
  );
}
