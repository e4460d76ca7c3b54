import type { Command } from 'commander';
import { parseS3Location } from '../../coordinator/artifacts/s3-location.ts';
import type { MigrationProgress, MigrationResult } from '../../coordinator/migrate/migrate.ts';
import type { NamedContent } from '../../coordinator/store/copy/rows.ts';
import { isPostgresName, storeOptions } from '../../coordinator/store/moved-store.ts';
import { parsePostgresLocation } from '../../coordinator/store/postgres/location.ts';
import { keepFilesPrivate } from '../../lib/files/private-files.ts';
import { countText } from '../../lib/text/numbers.ts';
import { shellLine } from '../../lib/text/shell.ts';
import { formatSize } from '../../lib/text/size.ts';
import type { Column } from '../../lib/text/table.ts';
import { BadInputError } from '../../proto/errors.ts';
import { type GlobalOptions, type OutputOptions, withHelp, withOutput } from '../options/common.ts';
import { pathOption } from '../options/values.ts';
import { note, print, printJson } from '../output/print.ts';
import { renderTable } from '../output/table.ts';
import { resultTerminal } from '../output/terminal.ts';

interface Options extends GlobalOptions, OutputOptions {
  readonly dir: string;
  readonly store?: string;
  readonly toDir?: string;
  readonly toStore?: string;
  readonly toArtifacts?: string;
  readonly allowMissing?: true;
}

const PROGRESS_INTERVAL_MS = 2_000;

const COLUMNS: readonly Column<NamedContent>[] = [
  { header: 'table', cell: ({ table }) => table },
  { header: 'rows', numeric: true, cell: ({ rows }) => rows.toLocaleString('en-US') },
  { header: 'size', numeric: true, cell: ({ bytes }) => formatSize(bytes) },
];

async function migrateStore(options: Options): Promise<void> {
  const { dir, store, toDir, toStore, toArtifacts, allowMissing = false } = options;
  if ((toDir === undefined) === (toStore === undefined)) throw new BadInputError('pass either --to-store or --to-dir');
  if (store !== undefined) parsePostgresLocation(store, '--store');
  if (toStore !== undefined) parsePostgresLocation(toStore, '--to-store');
  if (toArtifacts !== undefined) parseS3Location(toArtifacts, '--to-artifacts');
  keepFilesPrivate();
  const { migrate } = await import('../../coordinator/migrate/migrate.ts');
  const begun = performance.now();
  const result = await migrate({
    dir,
    store,
    to: toStore === undefined ? { dir: toDir ?? '' } : { store: toStore },
    artifacts: toArtifacts,
    allowMissing,
    onProgress: progressNotes(),
    now: Date.now(),
  });
  const seconds = Math.round((performance.now() - begun) / 100) / 10;
  for (const path of result.files.missing) note(`the store names the file ${path}, but the file does not exist`);
  if (options.output === 'json') return printJson({ ...result, seconds, start: startCommand(result) });
  const filled = result.tables.filter(({ rows }) => rows > 0);
  await print(renderTable(COLUMNS, filled, resultTerminal(options)));
  return print(`\n${summary(result, seconds)}\n`);
}

function summary(result: MigrationResult, seconds: number): string {
  const { files, bytes } = result.files;
  const lines = [
    `moved ${result.from} to ${result.to} in ${seconds} s: every row was read again and compared`,
    `artifacts and code: ${countText(files, 'file')} (${formatSize(bytes)}) in ${result.artifacts}, each read and compared with its checksum`,
    `start the coordinator with: ${startCommand(result)}`,
  ];
  return lines.join('\n');
}

function startCommand({ dir, to }: MigrationResult): string {
  const store = isPostgresName(to) ? ` ${storeOptions(to)}` : '';
  return `trawl coordinator --dir ${shellLine([dir])}${store}`;
}

/** Returns a function that prints the progress, but at most once per PROGRESS_INTERVAL_MS. */
function progressNotes(): (progress: MigrationProgress) => void {
  let printedAt = performance.now();
  return (progress) => {
    if (performance.now() - printedAt < PROGRESS_INTERVAL_MS) return;
    printedAt = performance.now();
    note(progressText(progress));
  };
}

function progressText(progress: MigrationProgress): string {
  switch (progress.step) {
    case 'files': {
      const { files, bytes } = progress.done;
      return `copied and verified ${countText(files, 'file')} (${formatSize(bytes)})`;
    }
    case 'copy':
      return `copying the table ${progress.table}`;
    case 'verify':
      return `verifying the table ${progress.table}`;
    case 'marked':
      return 'the new store is marked as incomplete';
    case 'copied':
      return 'all rows are copied and verified';
    case 'moved':
      return 'the old store is marked as moved';
  }
}

export function registerMigrate(program: Command): void {
  const command = program
    .command('migrate')
    .description('move a store into PostgreSQL and S3, or back into a folder, while no coordinator runs')
    .requiredOption('--dir <dir>', "the coordinator's data folder", pathOption)
    .option('--store <postgres-url>', 'database with the store (default: the store is in the data folder)')
    .option('--to-store <postgres-url>', 'move the store into this empty database; --dir remains the data folder')
    .option('--to-dir <dir>', 'move the store and the artifacts into this new or empty data folder', pathOption)
    .option(
      '--to-artifacts <s3-url>',
      'move the artifacts to this location in an S3-compatible store (default: into --to-dir; with --to-store, they stay)',
    )
    .option('--allow-missing', 'continue if artifacts or code archives that the store names do not exist');
  withHelp(withOutput(command), {
    remote: false,
    examples: [
      [
        "trawl migrate --dir sweeps --to-store 'postgres://trawl@db.example/trawl?sslmode=verify-full' --to-artifacts s3://sweeps/a",
        'from a folder into PostgreSQL and S3',
      ],
      [
        "trawl migrate --dir sweeps --store 'postgres://trawl@db.example/trawl?sslmode=verify-full' --to-dir sweeps-again",
        'back into a new folder',
      ],
    ],
    exits: [
      [3, 'PostgreSQL or S3 could not be reached, or a row or file is damaged; the old store is still usable'],
      [
        4,
        'rejected: a coordinator uses a store, the new place is not empty, files are missing, the store has already been ' +
          'moved, or it is damaged or of another version; or a server rejects the credentials or the bucket, or has too little space',
      ],
      [70, 'the disk of this machine is full; the old store is still usable'],
    ],
  }).action((_options: Options, self: Command) => migrateStore(self.optsWithGlobals<Options>()));
}
