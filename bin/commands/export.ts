import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Command, Option } from 'commander';
import { readSafetensors } from '../../lib/files/safetensors.ts';
import { visibleLines } from '../../lib/text/visible-text.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { getSweep, listTrials, streamCurves } from '../client/sweeps.ts';
import { curvePoints, reportedMetrics } from '../export/curve-rows.ts';
import { type Choice, chooseExport, type Flags, FORMATS } from '../export/formats.ts';
import { writeLayersModel } from '../export/model/layers-model.ts';
import { storedModel } from '../export/model/stored-model.ts';
import { writeParquet } from '../export/parquet.ts';
import type { Table } from '../export/table.ts';
import { curveColumns, trialColumns } from '../export/table.ts';
import { writeRuns } from '../export/tensorboard/write-runs.ts';
import { csvText, jsonText } from '../export/text.ts';
import { writeWholeFile, writeWholeFolder } from '../export/write-whole.ts';
import { type ServerOptions, withHelp, withServer } from '../options/common.ts';
import { trialJson } from '../output/json.ts';
import { note, print } from '../output/print.ts';

type Options = Flags & ServerOptions;
type Of<What extends Choice['what']> = Extract<Choice, { what: What }>;

const NEWEST = 'last';

async function writeText(text: AsyncIterable<string>, out: string | undefined): Promise<void> {
  // On a terminal the values are looked at, elsewhere they are taken as they are.
  const shown = process.stdout.isTTY ? visibleLines : (part: string) => part;
  if (out === undefined) for await (const part of text) await print(shown(part));
  else await writeWholeFile(out, (path) => pipeline(Readable.from(text), createWriteStream(path, { flags: 'wx' })));
}

async function writeTable<Row extends object>(table: Table<Row>, choice: Of<'text' | 'parquet'>): Promise<void> {
  if (choice.what === 'parquet') await writeWholeFile(choice.out, (path) => writeParquet(path, table));
  else await writeText(choice.format === 'csv' ? csvText(table) : jsonText(table.rows), choice.out);
}

async function exportTable(connection: Connection, selector: string, choice: Of<'text' | 'parquet'>): Promise<void> {
  const { sweep } = await getSweep(connection, selector);
  const trials = (await listTrials(connection, { sweep: sweep.id })).map(trialJson);
  if (choice.curves) {
    const metrics = await reportedMetrics(connection, sweep.id);
    const rows = curvePoints(connection, sweep.id, trials);
    await writeTable({ columns: curveColumns(trials, metrics), rows }, choice);
  } else {
    await writeTable({ columns: trialColumns(trials), rows: trials }, choice);
  }
  const what = choice.curves ? `the epochs of ${trials.length} trials` : `${trials.length} trials`;
  if (choice.out !== undefined) note(`${what} written to ${choice.out}`);
}

async function exportRuns(connection: Connection, selector: string, { out }: Of<'runs'>): Promise<void> {
  const { sweep } = await getSweep(connection, selector);
  const trials = await listTrials(connection, { sweep: sweep.id });
  let runs = 0;
  await writeWholeFolder(out, async (dir) => {
    runs = await writeRuns(dir, sweep, trials, streamCurves(connection, sweep.id));
  });
  note(`${runs} runs written to ${out}`);
}

async function exportModel(connection: Connection, sweep: string, choice: Of<'model'>): Promise<void> {
  const { trial, bytes } = await storedModel(connection, { sweep, trial: choice.trial });
  if (choice.format === 'tfjs') await writeLayersModel(readSafetensors(bytes), choice.out);
  else await writeWholeFile(choice.out, (path) => writeFile(path, bytes, { flag: 'wx' }));
  note(`the model of trial ${trial.id} written to ${choice.out}`);
}

async function exportAs(choice: Choice, sweep: string | undefined, options: Options): Promise<void> {
  await withConnection(options, async (connection) => {
    if (choice.what === 'model') await exportModel(connection, sweep ?? '', choice);
    else if (choice.what === 'runs') await exportRuns(connection, sweep ?? NEWEST, choice);
    else await exportTable(connection, sweep ?? NEWEST, choice);
  });
}

const FORMATS_HELP = `
Formats:
  csv          RFC 4180: a line a trial with all its parameters and metrics
  json         an array of trials, as trials -o json prints them
  parquet      the columns of csv, typed; times in UTC
  tensorboard  a folder for tensorboard --logdir: a run a trial with its metrics over the epochs, and the
               parameters for the HPARAMS tab
  tfjs         with --model: a folder that tf.loadLayersModel of TensorFlow.js opens
  safetensors  with --model: the weights as they are kept
`;

export function registerExport(program: Command): void {
  const format = new Option('-f, --format <format>', 'what to write (default: csv; with --model, tfjs)');
  const command = program
    .command('export')
    .description('write what a sweep found: its trials, their metrics over the epochs, or a trained network')
    .argument('[sweep]', 'id, name or "last" (default: last; with --model, the sweep that holds the trial)')
    .addOption(format.choices([...FORMATS]))
    .option(
      '--out <path>',
      'a file, replaced if it is there, or a new or empty folder (default: stdout; csv and json only)',
    )
    .option('--curves', 'a row a trial and epoch instead of a row a trial (csv, json, parquet)')
    .option('--model <trial>', 'the trained network of this trial: its id or the start of it')
    .addHelpText('after', FORMATS_HELP.trimEnd());
  withHelp(withServer(command), {
    examples: [
      ['trawl export > trials.csv', 'the newest sweep as CSV'],
      ['trawl export 3 -f json --out trials.json', 'sweep 3 as a JSON array of trials'],
      ['trawl export 3 -f parquet --curves --out epochs.parquet', 'every epoch of every trial, typed'],
      ['trawl export 3 -f tensorboard --out runs', 'then: tensorboard --logdir runs'],
      ['trawl export --model 3f2a91bc --out model', 'a network for tf.loadLayersModel'],
      ['trawl export --model 3f2a91bc -f safetensors --out model.safetensors', 'the same as PyTorch names it'],
    ],
  }).action((sweep: string | undefined, options: Options) => exportAs(chooseExport(options), sweep, options));
}
