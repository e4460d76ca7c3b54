import type { Command } from 'commander';
import { keepFilesPrivate } from '../../lib/files/private-files.ts';
import { withConnection } from '../client/connect.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { pathOption } from '../options/values.ts';
import { note, print, printJson } from '../output/print.ts';

type Options = ServerOptions & OutputOptions & { readonly out: string };

async function backup(options: Options): Promise<void> {
  keepFilesPrivate();
  const { receiveBackup } = await import('../client/receive-backup.ts');
  const made = await withConnection(options, (connection) => receiveBackup(connection, options.out));
  for (const path of made.missing) note(`artifact ${path} is in the store, but its file is missing`);
  if (options.output === 'json') return printJson({ folder: options.out, ...made });
  const { store, artifacts } = made;
  return print(
    `backup ${options.out} verified: store of ${store.bytes} bytes, ${artifacts.files} artifacts of ${artifacts.bytes} bytes\n`,
  );
}

export function registerBackup(program: Command): void {
  const command = program
    .command('backup')
    .description('write a consistent copy of the store and the artifacts, while the coordinator keeps running')
    .requiredOption(
      '--out <folder>',
      'new folder; it is created only once the backup is complete and verified',
      pathOption,
    );
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl backup --out backups/monday', 'back up the coordinator on this machine'],
      ['trawl backup --dir sweeps --out backups/monday', 'back up a data folder, even if no coordinator uses it'],
      ['trawl restore backups/monday --dir sweeps-restored', 'restore the backup to a new data folder'],
      [
        'pg_basebackup --pgdata backups/monday --host db.example',
        'back up a store in PostgreSQL with the tools of PostgreSQL, which can restore the state at any time (docs/operations.md)',
      ],
    ],
    exits: [
      [3, 'no coordinator could be reached, or the backup was incomplete'],
      [4, 'rejected: the folder is not empty, or another backup is in progress'],
    ],
  }).action((options: Options) => backup(options));
}
