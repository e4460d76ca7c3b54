import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { trialTotal } from '../../lib/domain/trial-state.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { withConnection } from '../client/connect.ts';
import { submitSweep } from '../client/sweeps.ts';
import {
  type OutputOptions,
  type QuietOptions,
  type ServerOptions,
  serverFlags,
  withHelp,
  withOutput,
  withQuiet,
  withServer,
} from '../options/common.ts';
import { loadSweepFile } from '../options/sweep-file.ts';
import { sweepJson } from '../output/json.ts';
import { note, print, printJson } from '../output/print.ts';
import { waitFor } from './wait.ts';

type Options = ServerOptions & OutputOptions & QuietOptions & { readonly wait?: true };

async function submit(file: string, options: Options): Promise<void> {
  const { text, fileName } = await loadSweepFile(file);
  await withConnection(options, async (connection) => {
    // The same id with every try: a coordinator that took the first and could not say so adds nothing twice.
    const sweep = await submitSweep(connection, { text, fileName, requestId: randomUUID() });
    const line = visibleText(`sweep ${sweep.id} (${sweep.name}): ${trialTotal(sweep)} trials`);
    if (options.quiet) await print(`${sweep.id}\n`);
    if (options.wait) {
      if (!options.quiet) note(line);
      return waitFor(connection, sweep, options);
    }
    if (options.quiet) return;
    if (options.output === 'json') return printJson(sweepJson(sweep));
    return print(`${line}\nfollow it with: trawl wait ${sweep.id}${serverFlags(options)}\n`);
  });
}

export function registerSubmit(program: Command): void {
  const command = program
    .command('submit')
    .description('hand a sweep file to a coordinator')
    .argument('<file>', 'sweep file, YAML or JSON')
    .option('--wait', 'then wait until the sweep has ended, as "trawl wait" does');
  withHelp(withQuiet(withOutput(withServer(command))), {
    exits: [[1, 'with --wait: ended with failed or cancelled trials']],
    examples: [
      ['trawl submit sweep.yaml', 'check it here, then hand it in'],
      ['id=$(trawl submit -q sweep.yaml)', 'the id only, for scripts'],
      ['trawl submit sweep.yaml --wait && trawl best', 'the ranking, when all went well'],
      ['trawl submit sweep.yaml --server gpu1:7070', 'to another machine'],
    ],
  }).action((file: string, options: Options) => submit(file, options));
}
