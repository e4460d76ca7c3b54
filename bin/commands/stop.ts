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

export function registerStop(program: Command): void {
  const command = program
    .command('stop')
    .description('stop a sweep: let started trials finish, and cancel other trials')
    .argument('<sweep>', 'sweep id, name or "last"');
  withHelp(withOutput(withServer(withReason(command))), {
    examples: [
      ['trawl stop last', 'stop the newest sweep'],
      ["trawl stop 3 --reason 'seen enough'", 'stop sweep 3 and record a reason'],
    ],
  }).action((sweep: string, options: Options) =>
    withConnection(options, async (connection) => {
      await printSweep(await controlSweep(connection, sweep, SweepAction.STOP, options), options.output);
    }),
  );
}
