import { type Command, Option } from 'commander';
import { countText } from '../../lib/text/numbers.ts';
import { formatSize } from '../../lib/text/size.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { BadInputError } from '../../proto/errors.ts';
import type { PrunedSweep, PruneResponse } from '../../proto/gen/trawl/v1/operations_service.ts';
import { sweepState } from '../../proto/names.ts';
import { withConnection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { ageOption, parseCountOrZero } from '../options/values.ts';
import { confirm, hasTerminal } from '../output/confirm.ts';
import { isoTime } from '../output/format.ts';
import { note, print, printJson } from '../output/print.ts';

type Options = ServerOptions &
  OutputOptions & {
    readonly olderThan: number;
    readonly keep: number;
    readonly all?: true;
    readonly yes?: true;
    readonly orphans?: true;
    readonly dryRun?: true;
  };

const DEFAULT_AGE_MS = 30 * 86_400_000;
/** The deadline is long, because deleting the rows and files of many sweeps is slow. */
const PRUNE_DEADLINE_MS = 600_000;

const QUESTION =
  'Delete every ended sweep except the newest sweep, and the trials, logs and artifacts of the deleted sweeps?';

/**
 * Checks options that depend on each other.
 * @throws {BadInputError} if the options select every ended sweep without --all, or if --all would delete sweeps and
 * there is neither -y nor a terminal for the confirmation
 */
function checkOptions({ olderThan, keep, all, yes, dryRun }: Options): void {
  if (!all && Math.round(olderThan) === 0 && keep === 0) {
    throw new BadInputError(
      '--older-than 0 selects every ended sweep: expected a longer time or --keep; use --all to delete every ended sweep',
    );
  }
  if (all && !yes && !dryRun && !hasTerminal()) {
    throw new BadInputError('--all needs a confirmation, and there is no terminal: add -y to confirm');
  }
}

function json({ id, name, state, endedAtMs, trials, artifacts, bytes }: PrunedSweep) {
  return { sweep: id, name, state: sweepState.of(state), ended_at: isoTime(endedAtMs), trials, artifacts, bytes };
}

function text({ sweeps, codeArchives, codeBytes, orphans }: PruneResponse, dryRun: boolean): string {
  if (sweeps.length + codeArchives + orphans.length === 0) return 'nothing to prune\n';
  const lines = sweeps.map(({ id, name, state, endedAtMs, trials, artifacts, bytes }) => {
    const contents = `${countText(trials, 'trial')}, ${countText(artifacts, 'artifact')}, ${formatSize(bytes)}`;
    return `sweep ${id} (${name}) ${sweepState.of(state)} ${isoTime(endedAtMs) ?? ''}: ${contents}`;
  });
  const bytes = sweeps.reduce((sum, sweep) => sum + sweep.bytes, 0);
  const verb = dryRun ? 'would be deleted' : 'deleted';
  const code = `${countText(codeArchives, 'unused code archive')} (${formatSize(codeBytes)}) ${verb}`;
  return [
    ...lines,
    `${countText(sweeps.length, 'sweep')} and ${formatSize(bytes)} of artifacts ${verb}`,
    ...(codeArchives === 0 ? [] : [code]),
    ...orphans.map(({ name, files, bytes: size }) => {
      return `orphans/${name}: ${countText(files, 'file')} (${formatSize(size)}) ${verb}`;
    }),
  ]
    .map((line) => `${visibleText(line)}\n`)
    .join('');
}

export function registerPrune(program: Command): void {
  const command = program
    .command('prune')
    .description(
      'delete ended sweeps with their trials, logs, artifacts and unused code; the newest sweep is always kept',
    )
    .addOption(
      new Option('--older-than <duration>', 'only sweeps that ended at least this long ago')
        .argParser(ageOption)
        .default(DEFAULT_AGE_MS, '30d'),
    )
    .addOption(
      new Option('--all', 'every ended sweep, of any age, after a confirmation').conflicts(['olderThan', 'keep']),
    )
    .option('-y, --yes', 'skip the confirmation of --all; required without a terminal')
    .addOption(new Option('--keep <n>', 'number of newest ended sweeps to keep').argParser(parseCountOrZero).default(0))
    .option(
      '--orphans',
      'also delete files that a coordinator moved to orphans/ at least --older-than ago (with --all: any files there)',
    )
    .option('--dry-run', 'only list what would be deleted');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl prune --dry-run', 'list sweeps that ended over 30 days ago, with their sizes'],
      ['trawl prune --orphans --dry-run', 'also list files in orphans/, which the store does not name'],
      ['trawl prune --older-than 7d --keep 20', 'keep the newest 20 sweeps and those of the last week'],
      ['trawl prune --all', 'delete every ended sweep except the newest sweep, after a confirmation'],
    ],
  }).action(async (options: Options) => {
    checkOptions(options);
    return withConnection(options, async (connection) => {
      const dryRun = options.dryRun ?? false;
      if (options.all && !dryRun && !options.yes && !(await confirm(QUESTION))) return note('prune cancelled');
      const all = options.all ?? false;
      const request = {
        all,
        olderThanMs: all ? 0 : Math.round(options.olderThan),
        keep: options.keep,
        orphans: options.orphans ?? false,
        dryRun,
      };
      const pruned = await unary(connection, connection.operations.prune, request, PRUNE_DEADLINE_MS);
      return options.output === 'json' ? printJson(pruned.sweeps.map(json)) : print(text(pruned, dryRun));
    });
  });
}
