import type { Command } from 'commander';
import { SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { withConnection } from '../client/connect.ts';
import { controlSweep } from '../client/sweeps.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';

type Options = ServerOptions & OutputOptions & { readonly reason?: string };

export function registerResume(program: Command): void {
  const command = program
    .command('resume')
    .description('go on with a paused sweep')
    .argument('[sweep]', 'id, name or "last"', 'last');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl resume', 'the newest sweep'],
      ['trawl resume 3', 'sweep 3'],
    ],
  }).action((sweep: string, options: Options) =>
    withConnection(options, (connection) => controlSweep(connection, sweep, SweepAction.RESUME, options)),
  );
}
