import type { Command } from 'commander';
import { SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { confirm } from '../confirm.ts';
import { withConnection } from '../connect.ts';
import { controlSweep } from '../control-sweep.ts';
import { getSweep } from '../fetch.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options.ts';
import { note } from '../output/print.ts';

type Options = ServerOptions & OutputOptions & { readonly reason?: string; readonly yes?: true };

async function kill(selector: string, options: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const { sweep } = await getSweep(connection, selector);
    const running = sweep.counts?.running ?? 0;
    const question = `Kill sweep ${sweep.id} (${sweep.name}) and its ${running} running trials?`;
    if (!options.yes && !(await confirm(question))) return note('nothing was killed');
    // By id: while the question stood, "last" may have become another sweep.
    await controlSweep(connection, sweep.id, SweepAction.KILL, options);
  });
}

export function registerKill(program: Command): void {
  const command = program
    .command('kill')
    .description('end a sweep now: running trials are ended, waiting ones are cancelled')
    .argument('<sweep>', 'id, name or "last"')
    .option('-y, --yes', 'do not ask (without a terminal nobody is asked)')
    .option('--reason <text>', 'why: shown wherever the sweep is');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl kill last', 'the newest sweep, after a question'],
      ['trawl kill 3 -y', 'without one'],
    ],
  }).action((sweep: string, options: Options) => kill(sweep, options));
}
