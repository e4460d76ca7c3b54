import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, Option } from 'commander';
import { visibleLines } from '../../lib/text/visible-text.ts';
import { UnreachableError } from '../../proto/errors.ts';
import type { ReadLogRequest } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { stream, unary } from '../client/rpc.ts';
import {
  type OutputOptions,
  parseCount,
  type ServerOptions,
  withHelp,
  withOutput,
  withServer,
} from '../options/common.ts';
import { note, print, printJson } from '../output/print.ts';

interface Options extends ServerOptions, OutputOptions {
  readonly follow?: true;
  readonly attempt?: number;
  readonly sweep: string;
}

/** Between tries of a coordinator that went away while a log was followed. */
const RECONNECT_MS = 1_000;
const PATIENCE_MS = 10 * 60_000;

/** The log in pieces. Over a reconnect it comes from its start again: what was given out before is left off. */
async function* pieces(connection: Connection, request: ReadLogRequest): AsyncGenerator<string> {
  let given = 0;
  let awaySince: number | undefined;
  for (;;) {
    let skip = given;
    try {
      for await (const { text } of stream(connection, connection.client.readLog, request)) {
        awaySince = undefined;
        const fresh = text.slice(skip);
        skip = Math.max(0, skip - text.length);
        given += fresh.length;
        if (fresh !== '') yield fresh;
      }
      return;
    } catch (error) {
      const hopeless = !request.follow || given === 0 || connection.offlineDir !== undefined;
      if (hopeless || !(error instanceof UnreachableError)) throw error;
      if (awaySince === undefined) note('the coordinator is away; waiting for it');
      awaySince ??= Date.now();
      if (Date.now() - awaySince > PATIENCE_MS) throw error;
      await sleep(RECONNECT_MS);
    }
  }
}

async function logs(selector: string, options: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const found = await unary(connection, connection.client.getTrial, { sweep: options.sweep, trial: selector });
    const trial = found.trial?.id ?? selector;
    // The attempt is fixed now, so that a later one does not take its place over a reconnect.
    const attempt = options.attempt ?? found.attempts.at(-1)?.number ?? 0;
    const sweep = found.trial?.sweepId ?? options.sweep;
    const request = { sweep, trial, attempt, follow: options.follow ?? false };
    if (options.output === 'json') {
      let text = '';
      for await (const piece of pieces(connection, request)) text += piece;
      return printJson({ trial, attempt, text });
    }
    // A pipe gets the log as it is; a terminal must not obey what a program wrote.
    const shown = process.stdout.isTTY ? visibleLines : (text: string) => text;
    for await (const piece of pieces(connection, request)) await print(shown(piece));
  });
}

export function registerLogs(program: Command): void {
  const command = program
    .command('logs')
    .description("print what a trial's worker wrote")
    .argument('<trial>', "the trial's id, or the start of it")
    .addOption(new Option('-f, --follow', 'go on until the attempt ends'))
    .option('--attempt <n>', 'which attempt (default: the latest)', parseCount)
    .option('--sweep <sweep>', 'look in this sweep only (default: the newest that has the trial)', '');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl logs 3f2a91bc', 'the latest attempt'],
      ['trawl logs 3f2a91bc -f', 'as it is written'],
      ['trawl logs 3f2a91bc --attempt 1', 'the attempt that failed'],
    ],
  }).action((trial: string, options: Options) => logs(trial, options));
}
