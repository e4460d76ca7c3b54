import type { Command } from 'commander';
import { countText } from '../../lib/text/numbers.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { BadInputError } from '../../proto/errors.ts';
import type { RetryTrialsRequest } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { failureClass, sweepState } from '../../proto/names.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import { retryTrials } from '../client/sweeps.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';

import { RETRIED_CLASSES, type RetriedClass, retriedClasses } from '../options/retry.ts';
import { sweepJson } from '../output/json.ts';
import { remainingText } from '../output/messages.ts';
import { print, printJson } from '../output/print.ts';
import { suggested } from '../output/suggested.ts';

const FLAGS = ['--failed', ...retriedClasses.map((name) => `--${name}`), '--cancelled'].join(', ');

type Selection = { readonly [flag in 'failed' | 'cancelled' | RetriedClass]?: true };
type Options = ServerOptions & OutputOptions & Selection;

async function retry(names: readonly string[], options: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const { sweep, retried } = await retryTrials(connection, await selectTrials(connection, names, options));
    if (options.output === 'json') return printJson({ ...sweepJson(sweep), retried });
    return print(`${visibleText(resultText(sweep, retried, options))}\n`);
  });
}

async function selectTrials(
  connection: Connection,
  names: readonly string[],
  options: Selection,
): Promise<Partial<RetryTrialsRequest>> {
  const failures = retriedClasses.filter((name) => options[name]).map((name) => failureClass.to(name));
  const [first, ...rest] = names;
  if (options.failed || options.cancelled || failures.length > 0) {
    if (rest.length > 0) throw new BadInputError(`trial ids cannot be combined with ${FLAGS}`);
    const { failed = false, cancelled = false } = options;
    return { sweep: first ?? 'last', failed, failures, cancelled };
  }
  if (first === undefined) throw new BadInputError(`trial ids or one of ${FLAGS} required`);
  const beginsWithSweep = await isSweep(connection, first);
  if (beginsWithSweep && rest.length === 0) {
    throw new BadInputError(`sweep ${first}: trial ids or one of ${FLAGS} required`);
  }
  return beginsWithSweep ? { sweep: first, trials: rest } : { trials: [...names] };
}

async function isSweep(connection: Connection, name: string): Promise<boolean> {
  if (name === 'last') return true;
  const { sweeps } = await unary(connection, connection.client.listSweeps, {});
  return sweeps.some((sweep) => sweep.id === name || sweep.name === name);
}

function resultText(sweep: Sweep, retried: number, options: ServerOptions): string {
  const { id, name, state } = sweep;
  const stateName = sweepState.of(state);
  const prefix = `sweep ${id} (${name}) ${stateName}`;
  if (retried === 0) return `${prefix}: no trials match, nothing retried`;
  const hint = {
    paused: `; run them with "${suggested(`resume ${id}`, options)}"`,
    interrupted: '; the next "trawl up" or coordinator on this folder runs them',
  };
  const next = stateName === 'paused' || stateName === 'interrupted' ? hint[stateName] : '';
  return `${prefix}: ${countText(retried, 'trial')} retried, ${remainingText(sweep)}${next}`;
}

export function registerRetry(program: Command): void {
  const command = program
    .command('retry')
    .description('retry failed or cancelled trials with a fresh retry budget; an ended sweep runs again')
    .argument(
      '[names...]',
      'trial ids, prefixes or SWEEP/ID, after an optional sweep; ' +
        'with an option that selects trials: only the sweep (default: last)',
    )
    .option('--failed', 'retry all failed trials')
    .option(
      '--cancelled',
      'retry killed trials, and trials cancelled by a stop or kill of the sweep; also create the remaining trials',
    );
  for (const [name, about] of Object.entries(RETRIED_CLASSES)) command.option(`--${name}`, about);
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl retry --failed', 'retry all failed trials of the newest sweep'],
      ['trawl retry 3 --oom --lost', 'retry out-of-memory and lost trials of sweep 3'],
      ['trawl retry 3f2a91bc 83102658', 'retry two trials, or neither if one cannot be retried'],
      ['trawl retry 3/3f2a91bc', 'retry a trial of sweep 3 that another sweep also contains'],
      ['trawl retry --failed --dir DIR', 'without a coordinator: mark the trials; the next "trawl up" runs them'],
      ['trawl retry last --failed --cancelled', 'finish a killed sweep'],
    ],
  }).action((names: string[], options: Options) => retry(names, options));
}
