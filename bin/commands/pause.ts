import type { Command } from 'commander';
import { SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { withConnection } from '../client/connect.ts';
import { controlSweep } from '../client/sweeps.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';

type Options = ServerOptions & OutputOptions & { readonly reason?: string };

export function registerPause(program: Command): void {
  const command = program
    .command('pause')
    .description('start no more trials of a sweep; running ones go on')
    .argument('[sweep]', 'id, name or "last"', 'last')
    .option('--reason <text>', 'why: shown wherever the sweep is');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl pause', 'the newest sweep'],
      ["trawl pause 3 --reason 'disk is full'", 'with the reason kept'],
    ],
  }).action((sweep: string, options: Options) =>
    withConnection(options, (connection) => controlSweep(connection, sweep, SweepAction.PAUSE, options)),
  );
}
