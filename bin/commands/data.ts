import { Argument, type Command } from 'commander';
import { DamagedFileError, type DatasetStatus, datasetStatus, defaultDataDir } from '../../agent/data/cache.ts';
import { DATASETS, type DatasetSpec } from '../../agent/data/catalog.ts';
import { ensureDataset } from '../../agent/data/fetch.ts';
import { requireFolder } from '../../lib/files/folder.ts';
import type { Column } from '../../lib/text/table.ts';
import { NotFoundError } from '../../proto/errors.ts';
import { type GlobalOptions, type OutputOptions, withHelp, withOutput } from '../options/common.ts';
import { pathOption } from '../options/values.ts';
import { note, print, printJson } from '../output/print.ts';
import { renderTable } from '../output/table.ts';
import { resultTerminal } from '../output/terminal.ts';

interface DataOptions {
  readonly data: string;
}

type ListOptions = GlobalOptions & OutputOptions & DataOptions;

const COLUMNS: readonly Column<DatasetStatus>[] = [
  { header: 'data set', elide: 'middle', cell: ({ name }) => name },
  { header: 'state', cell: ({ state }) => state },
  { header: 'detail', cell: ({ detail }) => detail },
];

async function show(found: readonly DatasetStatus[], options: ListOptions): Promise<void> {
  if (options.output === 'json') return printJson(found);
  return print(renderTable(COLUMNS, found, resultTerminal(options)));
}

const named = (names: readonly string[]): readonly DatasetSpec[] =>
  names.length === 0 ? DATASETS : DATASETS.filter(({ name }) => names.includes(name));

async function pull(names: readonly string[], { data }: DataOptions): Promise<void> {
  requireFolder('--data', data);
  for (const dataset of named(names)) {
    const use = await ensureDataset(dataset, data);
    note(`${dataset.name}: ${use === 'hit' ? 'already cached' : 'downloaded'} (${data})`);
  }
}

/** @throws {DamagedFileError | NotFoundError} when a file is damaged, or a named data set is not cached */
async function verify(names: readonly string[], options: ListOptions): Promise<void> {
  const selected = named(names).map(({ name }) => name);
  const found = (await datasetStatus(options.data)).filter(({ name }) => selected.includes(name));
  await show(found, options);
  const damaged = found.find(({ state }) => state === 'damaged');
  if (damaged !== undefined) throw new DamagedFileError(damaged.detail);
  const missing = found.find(({ state }) => state === 'missing');
  if (names.length > 0 && missing !== undefined) {
    throw new NotFoundError(`${missing.name}: ${missing.detail}; download it with "trawl data pull ${missing.name}"`);
  }
}

const withData = (command: Command): Command =>
  command.option('--data <dir>', 'data set cache', pathOption, defaultDataDir(process.env));

const names = () =>
  new Argument('[names...]', 'data sets').choices(DATASETS.map(({ name }) => name)).default([], 'all');

export function registerData(program: Command): void {
  const data = program.command('data').description("manage this machine's data set cache");
  withHelp(data, {
    remote: false,
    examples: [
      ['trawl data ls', 'show what is cached'],
      ['trawl data pull', 'download all data sets before the first trial needs them'],
    ],
  });
  const ls = data.command('ls').description('list the data sets and the state of their files');
  withHelp(withOutput(withData(ls)), {
    remote: false,
    examples: [['trawl data ls -o json', 'the list as JSON']],
  }).action(async (_options: ListOptions, self: Command) => {
    const options = self.optsWithGlobals<ListOptions>();
    await show(await datasetStatus(options.data), options);
  });
  const get = data.command('pull').description('download data sets that are not cached').addArgument(names());
  withHelp(withData(get), {
    remote: false,
    exits: [[3, 'no source could provide a data set']],
    examples: [['trawl data pull fashion-mnist', 'download one data set']],
  }).action((which: string[], options: DataOptions) => pull(which, options));
  const check = data.command('verify').description('verify the checksums of cached files');
  withHelp(withOutput(withData(check.addArgument(names()))), {
    remote: false,
    exits: [[2, 'a file is damaged, or a named data set is not cached']],
    examples: [['trawl data verify mnist', 'fail unless mnist is cached and intact']],
  }).action((which: string[], _options: ListOptions, self: Command) =>
    verify(which, self.optsWithGlobals<ListOptions>()),
  );
}
