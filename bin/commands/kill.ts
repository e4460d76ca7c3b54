import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { visibleText } from '../../lib/text/visible-text.ts';
import { SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { withConnection } from '../client/connect.ts';
import { controlSweep, getSweep } from '../client/sweeps.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { note } from '../output/print.ts';

/** Asks the person at the terminal; anything but y or yes is a no. Without a terminal there is nobody to ask: yes. */
async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return true;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const interrupted = new AbortController();
  terminal.on('SIGINT', () => interrupted.abort());
  try {
    const answer = await terminal.question(`${visibleText(question)} [y/N] `, { signal: interrupted.signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    process.stderr.write('\n');
    return false;
  } finally {
    terminal.close();
  }
}

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
