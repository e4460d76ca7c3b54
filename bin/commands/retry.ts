import type { Command } from 'commander';
import { visibleText } from '../../lib/text/visible-text.ts';
import { BadInputError } from '../../proto/errors.ts';
import type { RetryTrialsRequest } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { failureClass, sweepState } from '../../proto/names.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import { retryTrials } from '../client/sweeps.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { sweepJson } from '../output/json.ts';
import { print, printJson } from '../output/print.ts';

/** The classes of failure that have a flag; `--failed` stands for all there are. */
const CLASSES = ['oom', 'nan', 'crash', 'lost', 'timeout', 'preflight'] as const;
const FLAGS = ['--failed', ...CLASSES.map((name) => `--${name}`), '--cancelled'].join(', ');

type Which = { readonly [flag in 'failed' | 'cancelled' | (typeof CLASSES)[number]]?: true };
type Options = ServerOptions & OutputOptions & Which;

async function retry(names: readonly string[], options: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const { sweep, retried } = await retryTrials(connection, await whichOf(connection, names, options));
    if (options.output === 'json') return printJson({ ...sweepJson(sweep), retried });
    return print(`${visibleText(sentence(sweep, retried))}\n`);
  });
}

async function whichOf(
  connection: Connection,
  names: readonly string[],
  options: Which,
): Promise<Partial<RetryTrialsRequest>> {
  const failures = CLASSES.filter((name) => options[name]).map((name) => failureClass.to(name));
  const [first, ...rest] = names;
  if (options.failed || options.cancelled || failures.length > 0) {
    if (rest.length > 0) throw new BadInputError(`name trials, or say which (${FLAGS}), not both`);
    const { failed = false, cancelled = false } = options;
    return { sweep: first ?? 'last', failed, failures, cancelled };
  }
  if (first === undefined) throw new BadInputError(`name the trials, or say which: ${FLAGS}`);
  const beginsWithSweep = await isSweep(connection, first);
  if (beginsWithSweep && rest.length === 0) {
    throw new BadInputError(`say which trials of sweep ${first}: ${FLAGS}, or their ids`);
  }
  return beginsWithSweep ? { sweep: first, trials: rest } : { trials: [...names] };
}

async function isSweep(connection: Connection, name: string): Promise<boolean> {
  if (name === 'last') return true;
  const { sweeps } = await unary(connection, connection.client.listSweeps, {});
  return sweeps.some((sweep) => sweep.id === name || sweep.name === name);
}

function sentence({ id, name, state, counts }: Sweep, retried: number): string {
  const named = sweepState.of(state);
  const sweep = `sweep ${id} (${name}) ${named}`;
  if (retried === 0) return `${sweep}: no such trials, nothing is retried`;
  const waiting = (counts?.pending ?? 0) + (counts?.offered ?? 0);
  const trials = retried === 1 ? '1 trial is' : `${retried} trials are`;
  const paused = named === 'paused' ? `; "trawl resume ${id}" lets them run` : '';
  return `${sweep}: ${trials} tried again, ${counts?.running ?? 0} running, ${waiting} waiting${paused}`;
}

export function registerRetry(program: Command): void {
  const command = program
    .command('retry')
    .description(
      'try trials again that failed or were cancelled, with a fresh budget; a sweep that has ended runs again',
    )
    .argument(
      '[names...]',
      'trials, by id or the start of it, after their sweep where it is not the newest that has them; with a flag: the sweep (default: last)',
    )
    .option('--failed', 'every trial that failed')
    .option('--cancelled', 'every trial that was cancelled when its sweep was stopped or killed');
  for (const name of CLASSES) command.option(`--${name}`, `those whose last attempt failed so: ${name}`);
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl retry --failed', 'whatever failed in the newest sweep'],
      ['trawl retry 3 --oom --lost', 'of sweep 3, what ran out of memory or was lost with its agents'],
      ['trawl retry 3f2a91bc 83102658', 'two trials: both, or none when one of them cannot be'],
      ['trawl retry 3 3f2a91bc', 'a trial of sweep 3, where a newer sweep has it too'],
      ['trawl retry last --failed --cancelled', 'all that a killed sweep has left'],
    ],
  }).action((names: string[], options: Options) => retry(names, options));
}
