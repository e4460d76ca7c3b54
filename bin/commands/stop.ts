import type { Command } from 'commander';
import { SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { withConnection } from '../client/connect.ts';
import { controlSweep } from '../client/sweeps.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';

type Options = ServerOptions & OutputOptions & { readonly reason?: string };

export function registerStop(program: Command): void {
  const command = program
    .command('stop')
    .description('end a sweep gently: running trials finish, waiting ones are cancelled')
    .argument('<sweep>', 'id, name or "last"')
    .option('--reason <text>', 'why: shown wherever the sweep is');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl stop last', 'the newest sweep'],
      ["trawl stop 3 --reason 'seen enough'", 'with the reason kept'],
    ],
  }).action((sweep: string, options: Options) =>
    withConnection(options, (connection) => controlSweep(connection, sweep, SweepAction.STOP, options)),
  );
}
