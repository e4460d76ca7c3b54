import type { Command } from 'commander';
import { parseTrialSelector, trialSelector } from '../../lib/domain/selectors.ts';
import { shownState } from '../../lib/domain/trial-state.ts';
import { countText } from '../../lib/text/numbers.ts';
import { AmbiguousError, NotFoundError } from '../../proto/errors.ts';
import { SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import { controlSweep, getSweep, killTrial } from '../client/sweeps.ts';
import {
  type OutputOptions,
  type ServerOptions,
  withHelp,
  withOutput,
  withReason,
  withServer,
} from '../options/common.ts';
import { confirm, hasTerminal } from '../output/confirm.ts';
import { printSweep, printTrial } from '../output/messages.ts';
import { note } from '../output/print.ts';

type Options = ServerOptions & OutputOptions & { readonly reason?: string; readonly yes?: true };

async function kill(selector: string, options: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const { sweep, trial } = await findTarget(connection, selector);
    if (trial !== undefined) return killOne(connection, trial, options);
    const running = countText(sweep.counts?.running ?? 0, 'running trial');
    const question = `Kill sweep ${sweep.id} (${sweep.name}) and stop ${running} now?`;
    if (!options.yes && hasTerminal() && !(await confirm(question))) return note('kill cancelled');
    // The command uses the id, because "last" may be another sweep by the time the user answers.
    await printSweep(await controlSweep(connection, sweep.id, SweepAction.KILL, options), options.output);
  });
}

async function killOne(connection: Connection, { sweepId, id, state }: Trial, options: Options): Promise<void> {
  const question = `Kill trial ${trialSelector(sweepId, id)}, which is ${shownState(state)}?`;
  if (!options.yes && hasTerminal() && !(await confirm(question))) return note('kill cancelled');
  await printTrial(await killTrial(connection, sweepId, id, options.reason), options.output);
}

type Target =
  | { readonly sweep: Sweep; readonly trial: undefined }
  | { readonly sweep: undefined; readonly trial: Trial };

/**
 * Returns the sweep or the trial that a selector names. The name of a sweep can contain slashes, so `a/b` can name a
 * sweep or a trial.
 * @throws {AmbiguousError} when several trials match, or both a sweep and a trial match
 */
async function findTarget(connection: Connection, selector: string): Promise<Target> {
  if (parseTrialSelector(selector).sweep === undefined) {
    return { sweep: (await getSweep(connection, selector)).sweep, trial: undefined };
  }
  const named = await unlessMissing(getSweep(connection, selector));
  const found = unary(connection, connection.client.getTrial, { sweep: '', trial: selector });
  const { trial } = named === undefined ? await found : ((await unlessMissing(found)) ?? {});
  if (named === undefined) {
    if (trial === undefined) throw new NotFoundError(`there is no trial ${selector}`);
    return { sweep: undefined, trial };
  }
  if (trial === undefined) return { sweep: named.sweep, trial };
  throw new AmbiguousError(
    `${selector} is ambiguous; choose one of ${named.sweep.id} (the sweep of that name) and ` +
      `${trialSelector(trial.sweepId, trial.id)} (a trial)`,
  );
}

async function unlessMissing<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

export function registerKill(program: Command): void {
  const command = program
    .command('kill')
    .description('kill a sweep or one trial: stop running trials now, and cancel pending trials')
    .argument('<sweep>', 'sweep id, name or "last", or SWEEP/TRIAL for one trial (id or unambiguous prefix)')
    .option('-y, --yes', 'skip the confirmation; without a terminal it is always skipped');
  withHelp(withOutput(withServer(withReason(command))), {
    examples: [
      ['trawl kill last', 'kill the newest sweep, after a confirmation'],
      ['trawl kill 3/3f2a91bc', 'kill one trial; the others of sweep 3 continue'],
      ['trawl kill 3 -y', 'kill sweep 3 without a confirmation'],
    ],
  }).action((sweep: string, options: Options) => kill(sweep, options));
}
