import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { visibleText } from '../../dashboard/draw/visible-text.ts';
import { trialTotal } from '../../dashboard/state/trial-state.ts';
import { withConnection } from '../connect.ts';
import {
  type OutputOptions,
  type QuietOptions,
  type ServerOptions,
  serverFlags,
  withHelp,
  withOutput,
  withQuiet,
  withServer,
} from '../options.ts';
import { print, printJson } from '../output/print.ts';
import { sweepJson } from '../output/sweep-json.ts';
import { submitSweep } from '../submit-sweep.ts';
import { loadSweepFile } from '../sweep-file.ts';

type Options = ServerOptions & OutputOptions & QuietOptions;

async function submit(file: string, options: Options): Promise<void> {
  const { text, fileName } = await loadSweepFile(file);
  await withConnection(options, async (connection) => {
    // The same id with every try: a coordinator that took the first and could not say so adds nothing twice.
    const sweep = await submitSweep(connection, { text, fileName, requestId: randomUUID() });
    if (options.quiet) return print(`${sweep.id}\n`);
    if (options.output === 'json') return printJson(sweepJson(sweep));
    const line = `sweep ${sweep.id} (${sweep.name}): ${trialTotal(sweep)} trials`;
    return print(`${visibleText(line)}\nfollow it with: trawl wait ${sweep.id}${serverFlags(options)}\n`);
  });
}

export function registerSubmit(program: Command): void {
  const command = program
    .command('submit')
    .description('hand a sweep file to a coordinator')
    .argument('<file>', 'sweep file, YAML or JSON');
  withHelp(withQuiet(withOutput(withServer(command))), {
    examples: [
      ['trawl submit sweep.yaml', 'check it here, then hand it in'],
      ['id=$(trawl submit -q sweep.yaml)', 'the id only, for scripts'],
      ['trawl submit sweep.yaml --server gpu1:7070', 'to another machine'],
    ],
  }).action((file: string, options: Options) => submit(file, options));
}
