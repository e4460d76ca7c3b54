import { type Command, InvalidArgumentError } from 'commander';
import { SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { MAX_PRIORITY } from '../../proto/limits.ts';
import { withConnection } from '../client/connect.ts';
import { controlSweep } from '../client/sweeps.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';

type Options = ServerOptions & OutputOptions;

function parsePriority(text: string): number {
  const priority = Number(text);
  if (!/^[+-]?\d+$/.test(text) || Math.abs(priority) > MAX_PRIORITY) {
    throw new InvalidArgumentError(`Expected a whole number from ${-MAX_PRIORITY} to ${MAX_PRIORITY}.`);
  }
  return priority;
}

export function registerPriority(program: Command): void {
  const command = program
    .command('priority')
    .description("let a sweep's trials come before those of sweeps with a lower priority; what runs goes on")
    .argument('<sweep>', 'id, name or "last"')
    .argument('<priority>', `a whole number from ${-MAX_PRIORITY} to ${MAX_PRIORITY}; 0 is usual`, parsePriority);
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl priority 7 10', 'sweep 7 first'],
      ['trawl priority last -- -1', 'the newest when the others have nothing left'],
    ],
  }).action((sweep: string, priority: number, options: Options) =>
    withConnection(options, (connection) =>
      controlSweep(connection, sweep, SweepAction.PRIORITIZE, { ...options, priority }),
    ),
  );
}
