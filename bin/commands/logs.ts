import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { currentAttempt } from '../../lib/domain/current-attempt.ts';
import { visibleLines } from '../../lib/text/visible-text.ts';
import { UnreachableError } from '../../proto/errors.ts';
import type { ReadLogRequest } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import { LogPosition, streamLog } from '../client/sweeps.ts';
import { outageNotes } from '../client/watch.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { parseCount } from '../options/values.ts';
import { print, printJson } from '../output/print.ts';

interface Options extends ServerOptions, OutputOptions {
  readonly follow?: true;
  readonly attempt?: number;
  readonly sweep: string;
}

const RECONNECT_MS = 1_000;
const PATIENCE_MS = 10 * 60_000;

/** Yields the log in chunks. With `follow`, continues after an outage of the coordinator. */
async function* logChunks(connection: Connection, request: ReadLogRequest): AsyncGenerator<string> {
  const { onOutage, onReconnect } = outageNotes(connection);
  const position = new LogPosition();
  let outageSince: number | undefined;
  for (;;) {
    try {
      for await (const chunk of streamLog(connection, request, position)) {
        if (outageSince !== undefined) onReconnect();
        outageSince = undefined;
        yield chunk;
      }
      return;
    } catch (error) {
      const canReconnect = request.follow && position.hasText && connection.offline === undefined;
      if (!canReconnect || !(error instanceof UnreachableError)) throw error;
      if (outageSince === undefined) onOutage(error.message);
      outageSince ??= Date.now();
      if (Date.now() - outageSince > PATIENCE_MS) throw error;
      await sleep(RECONNECT_MS);
    }
  }
}

async function logs(selector: string, options: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    const found = await unary(connection, connection.client.getTrial, { sweep: options.sweep, trial: selector });
    const trial = found.trial?.id ?? selector;
    // The attempt is chosen once, so that a reconnect does not switch to a newer attempt.
    const attempt = options.attempt ?? currentAttempt(found.attempts)?.number ?? 0;
    const sweep = found.trial?.sweepId ?? options.sweep;
    const request = { sweep, trial, attempt, follow: options.follow ?? false };
    if (options.output === 'json') {
      let text = '';
      for await (const chunk of logChunks(connection, request)) text += chunk;
      return printJson({ trial, attempt, text });
    }
    const shown = process.stdout.isTTY ? visibleLines : (text: string) => text;
    for await (const chunk of logChunks(connection, request)) await print(shown(chunk));
  });
}

export function registerLogs(program: Command): void {
  const command = program
    .command('logs')
    .description('print the log of a trial')
    .argument('<trial>', 'trial id, unambiguous prefix, or SWEEP/ID where several sweeps have the trial')
    .option('-f, --follow', 'follow until the attempt ends')
    .option('--attempt <n>', 'attempt number (default: the latest attempt)', parseCount)
    .option('--sweep <sweep>', 'the sweep that has the trial: id, name or "last"; the same as SWEEP/ID', '');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl logs 3f2a91bc', 'log of the latest attempt'],
      ['trawl logs 3f2a91bc -f', 'follow the log'],
      ['trawl logs 3f2a91bc --attempt 1', 'log of the first attempt'],
    ],
  }).action((trial: string, options: Options) => logs(trial, options));
}
