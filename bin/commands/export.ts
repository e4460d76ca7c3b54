import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Command, Option } from 'commander';
import { BadInputError } from '../../proto/errors.ts';
import { withConnection } from '../connect.ts';
import { getSweep, listTrials } from '../fetch.ts';
import { type ServerOptions, withHelp, withServer } from '../options.ts';
import { note, print } from '../output/print.ts';
import { type TrialJson, trialJson } from '../output/trial-json.ts';
import { trialsCsv } from '../output/trials-csv.ts';

interface Options extends ServerOptions {
  readonly format: 'csv' | 'json';
  readonly out?: string;
}

function* trialsJsonText(trials: readonly TrialJson[]): Generator<string> {
  yield '[';
  for (const [i, trial] of trials.entries()) yield `${i === 0 ? '\n' : ',\n'}${JSON.stringify(trial)}`;
  yield '\n]\n';
}

/** The file is whole or not there: it is written beside its place, and moved. */
async function writeWhole(path: string, text: Iterable<string>): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await pipeline(Readable.from(text), createWriteStream(temporary, { flags: 'wx' }));
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    const why = error instanceof Error ? error.message : String(error);
    throw new BadInputError(`--out: ${path} cannot be written: ${why}`);
  }
}

async function exportTrials(selector: string, options: Options): Promise<void> {
  const listed = await withConnection(options, async (connection) => {
    const { sweep } = await getSweep(connection, selector);
    return listTrials(connection, { sweep: sweep.id });
  });
  const trials = listed.map(trialJson);
  const text = options.format === 'csv' ? trialsCsv(trials) : trialsJsonText(trials);
  if (options.out === undefined) {
    for (const part of text) await print(part);
    return;
  }
  await writeWhole(options.out, text);
  note(`${trials.length} trials written to ${options.out}`);
}

export function registerExport(program: Command): void {
  const command = program
    .command('export')
    .description('write every trial of a sweep, with all parameters and metrics')
    .argument('[sweep]', 'id, name or "last"', 'last')
    .addOption(new Option('-f, --format <format>', 'csv (RFC 4180) or json').choices(['csv', 'json']).default('csv'))
    .option('--out <file>', 'write to this file, and replace it if it is there (default: stdout)');
  withHelp(withServer(command), {
    examples: [
      ['trawl export > trials.csv', 'the newest sweep as CSV'],
      ['trawl export 3 -f json --out trials.json', 'sweep 3 as a JSON array of trials'],
    ],
  }).action((sweep: string, options: Options) => exportTrials(sweep, options));
}
