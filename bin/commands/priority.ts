import type { Command } from 'commander';
import { SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { MAX_PRIORITY } from '../../proto/limits.ts';
import { withConnection } from '../client/connect.ts';
import { controlSweep } from '../client/sweeps.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { parsePriority } from '../options/values.ts';
import { printSweep } from '../output/messages.ts';

type Options = ServerOptions & OutputOptions;

export function registerPriority(program: Command): void {
  const command = program
    .command('priority')
    .description('set the priority of a sweep: higher priorities run first; running trials are not interrupted')
    .argument('<sweep>', 'sweep id, name or "last"')
    .argument('<priority>', `integer from ${-MAX_PRIORITY} to ${MAX_PRIORITY}; new sweeps have 0`, parsePriority);
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl priority 7 10', 'run sweep 7 before the others'],
      ['trawl priority last -- -1', 'run the newest sweep only when the others have no pending trials'],
    ],
  }).action((sweep: string, priority: number, options: Options) =>
    withConnection(options, async (connection) => {
      const changed = await controlSweep(connection, sweep, SweepAction.PRIORITIZE, { priority });
      await printSweep(changed, options.output);
    }),
  );
}
