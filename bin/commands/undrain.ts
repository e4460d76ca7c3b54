import type { Command } from 'commander';
import { withConnection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { printAgent } from '../output/messages.ts';

type Options = ServerOptions & OutputOptions;

async function undrain(name: string, options: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const { agent } = await unary(connection, connection.operations.undrainAgent, { agent: name });
    await printAgent(agent, options.output);
  });
}

export function registerUndrain(program: Command): void {
  const command = program
    .command('undrain')
    .description('let a drained agent take work again')
    .argument('<agent>', 'id, or a prefix of it');
  withHelp(withOutput(withServer(command)), {
    examples: [['trawl undrain gpu-7', 'after "trawl drain gpu-7"']],
  }).action((agent: string, options: Options) => undrain(agent, options));
}
