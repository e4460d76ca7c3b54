import type { Command } from 'commander';
import { sweepStateText } from '../../lib/text/sweep-state.ts';
import { totalText } from '../../lib/text/trials-to-come.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { withPackedCode } from '../client/code.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { retryUnreachable, unary } from '../client/rpc.ts';
import { submitSweep } from '../client/sweeps.ts';
import {
  type OutputOptions,
  type QuietOptions,
  type ServerOptions,
  withHelp,
  withOutput,
  withQuiet,
  withServer,
} from '../options/common.ts';
import { type LoadedSweepFile, loadSweepFile } from '../options/sweep-file.ts';
import { noteCode } from '../output/code.ts';
import { sweepJson } from '../output/json.ts';
import { note, print, printJson } from '../output/print.ts';
import { noteEffectWarnings, noteProgramWarnings } from '../output/program-warnings.ts';
import { suggested } from '../output/suggested.ts';
import { waitFor } from './wait.ts';

type Options = ServerOptions & OutputOptions & QuietOptions & { readonly wait?: true };

async function submit(file: string, options: Options): Promise<void> {
  const loaded = await loadSweepFile(file);
  noteEffectWarnings(loaded.spec);
  await withConnection(options, async (connection) => {
    const sweep = await withPackedCode(loaded, async (code) => {
      if (code !== undefined) noteCode(code);
      await noteProgramWarnings(loaded, undefined, code?.folder);
      await noteEarlierSubmission(connection, loaded);
      return submitSweep(connection, loaded, code);
    });
    const line = visibleText(`sweep ${sweep.id} (${sweep.name}): ${totalText(sweep)}`);
    if (options.quiet) await print(`${sweep.id}\n`);
    if (options.wait) {
      if (!options.quiet) note(line);
      return waitFor(connection, sweep, options);
    }
    if (options.quiet) return;
    if (options.output === 'json') return printJson(sweepJson(sweep));
    return print(`${line}\nwait for it with: ${suggested(`wait ${sweep.id}`, options)}\n`);
  });
}

/** Prints a note if an earlier sweep has the same content, because this submission runs all trials again. */
async function noteEarlierSubmission(connection: Connection, { fingerprint }: LoadedSweepFile): Promise<void> {
  const { sweeps } = await retryUnreachable(connection, () => unary(connection, connection.client.listSweeps, {}));
  const earlier = sweeps.filter((sweep) => sweep.fingerprint === fingerprint).at(-1);
  if (earlier === undefined) return;
  const { id, name } = earlier;
  const state = sweepStateText(earlier, Date.now());
  note(`sweep ${id} (${visibleText(name)}, ${state}) has the same content; this submission runs all trials again`);
}

export function registerSubmit(program: Command): void {
  const command = program
    .command('submit')
    .description('submit a sweep to a coordinator')
    .argument('<file>', 'sweep file, YAML or JSON')
    .option('--wait', 'wait until the sweep ends, as "trawl wait" does');
  withHelp(withQuiet(withOutput(withServer(command))), {
    exits: [[1, 'with --wait: the same as for "trawl wait"']],
    examples: [
      ['trawl submit sweep.yaml', 'validate the file and submit it'],
      ['id=$(trawl submit -q sweep.yaml)', 'print only the sweep id, for scripts'],
      ['trawl submit sweep.yaml --wait && trawl best', 'wait, and show the best configs if the exit code is 0'],
      ['trawl submit sweep.yaml --server gpu1:7070', 'submit to another machine'],
    ],
  }).action((file: string, options: Options) => submit(file, options));
}
