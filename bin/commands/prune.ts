import { type Command, InvalidArgumentError, Option } from 'commander';
import { formatSize } from '../../lib/text/size.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { PrunedSweep } from '../../proto/gen/trawl/v1/operations_service.ts';
import { sweepState } from '../../proto/names.ts';
import { withConnection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import {
  ageOption,
  type OutputOptions,
  type ServerOptions,
  withHelp,
  withOutput,
  withServer,
} from '../options/common.ts';
import { isoTime } from '../output/format.ts';
import { print, printJson } from '../output/print.ts';

type Options = ServerOptions &
  OutputOptions & { readonly olderThan: number; readonly keep: number; readonly dryRun?: true };

const DEFAULT_AGE_MS = 30 * 86_400_000;
/** Deleting the rows and files of many sweeps takes its time. */
const PRUNE_MS = 600_000;

function json({ id, name, state, endedAtMs, trials, artifacts, bytes }: PrunedSweep) {
  return { sweep: id, name, state: sweepState.of(state), ended_at: isoTime(endedAtMs), trials, artifacts, bytes };
}

function text(sweeps: readonly PrunedSweep[], dryRun: boolean): string {
  if (sweeps.length === 0) return 'nothing to prune: no sweep that is over is old enough\n';
  const lines = sweeps.map(({ id, name, state, endedAtMs, trials, artifacts, bytes }) => {
    const what = `${trials} trials, ${artifacts} artifacts, ${formatSize(bytes)}`;
    return `sweep ${id} (${name}) ${sweepState.of(state)} ${isoTime(endedAtMs) ?? ''}: ${what}`;
  });
  const bytes = sweeps.reduce((sum, sweep) => sum + sweep.bytes, 0);
  const verb = dryRun ? 'would go' : 'went';
  return [...lines, `${sweeps.length} sweeps and ${formatSize(bytes)} of artifacts ${verb}`]
    .map((line) => `${visibleText(line)}\n`)
    .join('');
}

function parseKeep(written: string): number {
  if (!/^\d{1,9}$/.test(written)) throw new InvalidArgumentError('Expected a whole number from 0 up.');
  return Number(written);
}

export function registerPrune(program: Command): void {
  const command = program
    .command('prune')
    .description('remove sweeps that are over, with their trials, logs and artifacts; the newest sweep always stays')
    .addOption(
      new Option('--older-than <duration>', 'only what has been over for so long')
        .argParser(ageOption)
        .default(DEFAULT_AGE_MS, '30d'),
    )
    .addOption(
      new Option('--keep <n>', 'of the sweeps that are over, the newest so many stay').argParser(parseKeep).default(0),
    )
    .option('--dry-run', 'only say what would go');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl prune --dry-run', 'what has been over for 30 days, and how much it takes'],
      ['trawl prune --older-than 7d --keep 20', 'all but the newest 20 and those of the last week'],
    ],
  }).action((options: Options) =>
    withConnection(options, async (connection) => {
      const dryRun = options.dryRun ?? false;
      const request = { olderThanMs: Math.round(options.olderThan), keep: options.keep, dryRun };
      const { sweeps } = await unary(connection, connection.operations.prune, request, PRUNE_MS);
      return options.output === 'json' ? printJson(sweeps.map(json)) : print(text(sweeps, dryRun));
    }),
  );
}
