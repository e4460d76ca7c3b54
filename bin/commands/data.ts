import { Argument, type Command } from 'commander';
import { DamagedFileError, type DatasetStatus, datasetStatus, defaultDataDir } from '../../agent/data/cache.ts';
import { DATASETS, type DatasetSpec } from '../../agent/data/catalogue.ts';
import { ensureDataset } from '../../agent/data/fetch.ts';
import type { Column } from '../../lib/text/table.ts';
import { NotFoundError } from '../../proto/errors.ts';
import { type GlobalOptions, type OutputOptions, withHelp, withOutput } from '../options/common.ts';
import { note, print, printJson } from '../output/print.ts';
import { renderTable } from '../output/table.ts';
import { terminalOf } from '../output/terminal.ts';

interface DataOptions {
  readonly data: string;
}

type ListOptions = GlobalOptions & OutputOptions & DataOptions;

const COLUMNS: readonly Column<DatasetStatus>[] = [
  { header: 'data set', cell: ({ name }) => name },
  { header: 'state', cell: ({ state }) => state },
  { header: 'detail', cell: ({ detail }) => detail },
];

async function show(found: readonly DatasetStatus[], options: ListOptions): Promise<void> {
  if (options.output === 'json') return printJson(found);
  return print(renderTable(COLUMNS, found, terminalOf(process.stdout, options.color, process.env)));
}

/** None: all that there are. */
const named = (names: readonly string[]): readonly DatasetSpec[] =>
  names.length === 0 ? DATASETS : DATASETS.filter(({ name }) => names.includes(name));

async function pull(names: readonly string[], { data }: DataOptions): Promise<void> {
  for (const dataset of named(names)) {
    const use = await ensureDataset(dataset, data);
    note(`${dataset.name}: ${use === 'hit' ? 'was there' : 'fetched'} (${data})`);
  }
}

/** @throws {DamagedFileError} {NotFoundError} when what is there is not whole, or what was named is not there */
async function verify(names: readonly string[], options: ListOptions): Promise<void> {
  const wanted = named(names).map(({ name }) => name);
  const found = (await datasetStatus(options.data)).filter(({ name }) => wanted.includes(name));
  await show(found, options);
  const damaged = found.find(({ state }) => state === 'damaged');
  if (damaged !== undefined) throw new DamagedFileError(damaged.detail);
  const missing = found.find(({ state }) => state === 'missing');
  if (names.length > 0 && missing !== undefined) {
    throw new NotFoundError(`${missing.name} is ${missing.detail}; "trawl data pull ${missing.name}" fetches it`);
  }
}

const withData = (command: Command): Command =>
  command.option('--data <dir>', 'cache of data sets', defaultDataDir(process.env));

const names = () =>
  new Argument('[names...]', 'which (default: all)').choices(DATASETS.map(({ name }) => name)).default([], 'all');

export function registerData(program: Command): void {
  const data = program.command('data').description("look after this machine's cache of data sets");
  withHelp(data, {
    remote: false,
    examples: [
      ['trawl data ls', 'what is there'],
      ['trawl data pull', 'before a network goes away, or many trials ask at once'],
    ],
  });
  const ls = data.command('ls').description('list the data sets, and whether they are in the cache and whole');
  withHelp(withOutput(withData(ls)), {
    remote: false,
    examples: [['trawl data ls -o json', 'for scripts']],
  }).action(async (_options: ListOptions, self: Command) => {
    const options = self.optsWithGlobals<ListOptions>();
    await show(await datasetStatus(options.data), options);
  });
  const get = data.command('pull').description('fetch what is not in the cache yet').addArgument(names());
  withHelp(withData(get), {
    remote: false,
    exits: [[3, 'no source has it, with what each said']],
    examples: [['trawl data pull fashion-mnist', 'this one only']],
  }).action((which: string[], options: DataOptions) => pull(which, options));
  const check = data.command('verify').description("compare every file with its data set's checksum");
  withHelp(withOutput(withData(check.addArgument(names()))), {
    remote: false,
    exits: [[2, 'a file is damaged, or a data set that was named is not there']],
    examples: [['trawl data verify mnist', 'fails unless it is there, and whole']],
  }).action((which: string[], _options: ListOptions, self: Command) =>
    verify(which, self.optsWithGlobals<ListOptions>()),
  );
}
