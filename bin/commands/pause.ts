import type { Command } from 'commander';
import { SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { withConnection } from '../client/connect.ts';
import { controlSweep } from '../client/sweeps.ts';
import {
  type OutputOptions,
  type ServerOptions,
  withHelp,
  withOutput,
  withReason,
  withServer,
} from '../options/common.ts';
import { printSweep } from '../output/messages.ts';

type Options = ServerOptions & OutputOptions & { readonly reason?: string };

export function registerPause(program: Command): void {
  const command = program
    .command('pause')
    .description('pause a sweep: start no new trials, and let started trials finish')
    .argument('[sweep]', 'sweep id, name or "last"', 'last');
  withHelp(withOutput(withServer(withReason(command))), {
    examples: [
      ['trawl pause', 'pause the newest sweep'],
      ["trawl pause 3 --reason 'disk is full'", 'pause sweep 3 and record a reason'],
    ],
  }).action((sweep: string, options: Options) =>
    withConnection(options, async (connection) => {
      await printSweep(await controlSweep(connection, sweep, SweepAction.PAUSE, options), options.output);
    }),
  );
}
