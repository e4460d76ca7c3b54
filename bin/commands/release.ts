import type { Command } from 'commander';
import { releaseAgent } from '../client/agents.ts';
import { withConnection } from '../client/connect.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { printAgent } from '../output/messages.ts';

type Options = ServerOptions & OutputOptions;

export function registerRelease(program: Command): void {
  const command = program
    .command('release')
    .description('end the quarantine of an agent, which began when trials failed there and succeeded elsewhere')
    .argument('<agent>', 'agent id or unambiguous prefix');
  withHelp(withOutput(withServer(command)), {
    examples: [['trawl release gpu-7', 'after its machine was repaired, without waiting for the next probe']],
  }).action((agent: string, options: Options) =>
    withConnection(options, async (connection) => printAgent(await releaseAgent(connection, agent), options.output)),
  );
}
