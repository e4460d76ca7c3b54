import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Command, Option } from 'commander';
import { rankingMetric } from '../../lib/domain/ranking.ts';
import { readSafetensors } from '../../lib/files/safetensors.ts';
import { visibleLines } from '../../lib/text/visible-text.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { getSweep, listTrials, streamCurves, wholeCurves } from '../client/sweeps.ts';
import { curveRows, reportedMetrics } from '../export/curve-rows.ts';
import { type Choice, chooseExport, EXPORT_FORMATS, type Flags } from '../export/formats.ts';
import { writeLayersModel } from '../export/model/layers-model.ts';
import { storedModel } from '../export/model/stored-model.ts';
import type { ExportTable } from '../export/table.ts';
import { curveColumns, trialColumns } from '../export/table.ts';
import { writeRuns } from '../export/tensorboard/write-runs.ts';
import { csvText, jsonText } from '../export/text.ts';
import { writeWholeFile, writeWholeFolder } from '../export/write-whole.ts';
import { type ServerOptions, withHelp, withServer } from '../options/common.ts';
import { pathOption } from '../options/values.ts';
import { trialJson } from '../output/json.ts';
import { note, print } from '../output/print.ts';

type Options = Flags & ServerOptions;
type Chosen<What extends Choice['what']> = Extract<Choice, { what: What }>;

const NEWEST = 'last';

async function writeText(text: AsyncIterable<string>, out: string | undefined): Promise<void> {
  // Escapes control characters only for a terminal: files and pipes get the exact values.
  const shown = process.stdout.isTTY ? visibleLines : (part: string) => part;
  if (out === undefined) for await (const part of text) await print(shown(part));
  else await writeWholeFile(out, (path) => pipeline(Readable.from(text), createWriteStream(path, { flags: 'wx' })));
}

async function writeTable<Row extends object>(
  table: ExportTable<Row>,
  choice: Chosen<'text' | 'parquet'>,
): Promise<void> {
  if (choice.what === 'parquet') {
    const { writeParquet } = await import('../export/parquet.ts');
    await writeWholeFile(choice.out, (path) => writeParquet(path, table));
  } else await writeText(choice.format === 'csv' ? csvText(table) : jsonText(table.rows), choice.out);
}

async function exportTable(
  connection: Connection,
  selector: string,
  choice: Chosen<'text' | 'parquet'>,
): Promise<void> {
  const { sweep } = await getSweep(connection, selector);
  const trials = (await listTrials(connection, { sweep: sweep.id })).map(trialJson);
  if (choice.curves) {
    const { names, wholeSteps } = await reportedMetrics(connection, sweep.id);
    const rows = curveRows(connection, sweep.id, trials);
    await writeTable({ columns: curveColumns(trials, names, wholeSteps), rows }, choice);
  } else {
    await writeTable(
      { columns: trialColumns(trials, rankingMetric(sweep.metric?.name, trials)), rows: trials },
      choice,
    );
  }
  const what = choice.curves ? `the epochs of ${trials.length} trials` : `${trials.length} trials`;
  if (choice.out !== undefined) note(`${what} written to ${choice.out}`);
}

async function exportRuns(connection: Connection, selector: string, { out }: Chosen<'runs'>): Promise<void> {
  const { sweep } = await getSweep(connection, selector);
  const trials = await listTrials(connection, { sweep: sweep.id });
  let runs = 0;
  await writeWholeFolder(out, async (dir) => {
    runs = await writeRuns(dir, sweep, trials, wholeCurves(streamCurves(connection, sweep.id)));
  });
  note(`${runs} runs written to ${out}`);
}

async function exportModel(connection: Connection, sweep: string, choice: Chosen<'model'>): Promise<void> {
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
  csv          RFC 4180; one row per trial, with all parameters and metrics
  json         an array of trials, as printed by trials -o json
  parquet      the columns of csv with types; times in UTC
  tensorboard  a folder for tensorboard --logdir; one run per trial with its metrics by epoch, and hyperparameters
               for the HPARAMS tab
  tfjs         with --model: a folder for tf.loadLayersModel of TensorFlow.js
  safetensors  with --model: the stored weights
`;

export function registerExport(program: Command): void {
  const format = new Option('-f, --format <format>', 'output format (default: csv; with --model: tfjs)');
  const command = program
    .command('export')
    .description('export the trials of a sweep, their metrics by epoch, or a trained model')
    .argument('[sweep]', 'sweep id, name or "last" (default: last; with --model: the sweep of the trial)')
    .addOption(format.choices([...EXPORT_FORMATS]))
    .option(
      '--out <path>',
      'output file, which is overwritten, or a new or empty folder (default for csv and json: stdout)',
      pathOption,
    )
    .option('--curves', 'one row per trial and epoch instead of one row per trial (csv, json, parquet)')
    .option('--model <trial>', 'export the trained model of this trial (id or unambiguous prefix)')
    .addHelpText('after', FORMATS_HELP.trimEnd());
  withHelp(withServer(command), {
    examples: [
      ['trawl export > trials.csv', 'the newest sweep as CSV'],
      ['trawl export 3 -f json --out trials.json', 'sweep 3 as a JSON array of trials'],
      ['trawl export 3 -f parquet --curves --out epochs.parquet', 'every epoch of every trial'],
      ['trawl export 3 -f tensorboard --out runs', 'open with: tensorboard --logdir runs'],
      ['trawl export --model 3f2a91bc --out model', 'a model for tf.loadLayersModel'],
      ['trawl export --model 3f2a91bc -f safetensors --out model.safetensors', 'the weights under PyTorch names'],
    ],
  }).action((sweep: string | undefined, options: Options) => exportAs(chooseExport(options), sweep, options));
}
