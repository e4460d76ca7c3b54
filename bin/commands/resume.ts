import type { Command } from 'commander';
import { SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { withConnection } from '../client/connect.ts';
import { controlSweep } from '../client/sweeps.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { printSweep } from '../output/messages.ts';

type Options = ServerOptions & OutputOptions;

export function registerResume(program: Command): void {
  const command = program
    .command('resume')
    .description('resume a paused sweep')
    .argument('[sweep]', 'sweep id, name or "last"', 'last');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl resume', 'resume the newest sweep'],
      ['trawl resume 3', 'resume sweep 3'],
    ],
  }).action((sweep: string, options: Options) =>
    withConnection(options, async (connection) => {
      await printSweep(await controlSweep(connection, sweep, SweepAction.RESUME), options.output);
    }),
  );
}
