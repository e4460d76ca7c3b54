import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { countText } from '../../lib/text/numbers.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { withConnection } from '../client/connect.ts';
import { controlSweep, getSweep } from '../client/sweeps.ts';
import {
  type OutputOptions,
  type ServerOptions,
  withHelp,
  withOutput,
  withReason,
  withServer,
} from '../options/common.ts';

import { printSweep } from '../output/messages.ts';
import { note } from '../output/print.ts';

type Options = ServerOptions & OutputOptions & { readonly reason?: string; readonly yes?: true };

async function kill(selector: string, options: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const { sweep } = await getSweep(connection, selector);
    const running = countText(sweep.counts?.running ?? 0, 'running trial');
    const question = `Kill sweep ${sweep.id} (${sweep.name}) and stop ${running} now?`;
    if (!options.yes && !(await confirm(question))) return note('kill cancelled');
    // Uses the id, because "last" can be another sweep by the time the user answers.
    await printSweep(await controlSweep(connection, sweep.id, SweepAction.KILL, options), options.output);
  });
}

/** Asks on the terminal. Any answer except y and yes means no. Without a terminal, the answer is yes. */
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

export function registerKill(program: Command): void {
  const command = program
    .command('kill')
    .description('kill a sweep: stop running trials now, and cancel pending ones')
    .argument('<sweep>', 'sweep id, name or "last"')
    .option('-y, --yes', 'skip the confirmation; without a terminal it is always skipped');
  withHelp(withOutput(withServer(withReason(command))), {
    examples: [
      ['trawl kill last', 'kill the newest sweep, after a confirmation'],
      ['trawl kill 3 -y', 'kill sweep 3 without a confirmation'],
    ],
  }).action((sweep: string, options: Options) => kill(sweep, options));
}
