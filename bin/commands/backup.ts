import type { Command } from 'commander';
import { withConnection } from '../client/connect.ts';
import { type OutputOptions, type ServerOptions, withHelp, withOutput, withServer } from '../options/common.ts';
import { note, print, printJson } from '../output/print.ts';

type Options = ServerOptions & OutputOptions & { readonly out: string };

async function backup(options: Options): Promise<void> {
  const { receiveBackup } = await import('../client/receive-backup.ts');
  const made = await withConnection(options, (connection) => receiveBackup(connection, options.out));
  for (const path of made.missing) note(`the coordinator does not have the artifact ${path}, which its store names`);
  if (options.output === 'json') return printJson({ folder: options.out, ...made });
  const { store, artifacts } = made;
  return print(
    `backup ${options.out}: store of ${store.bytes} bytes, ${artifacts.files} artifacts of ${artifacts.bytes} bytes; checked\n`,
  );
}

export function registerBackup(program: Command): void {
  const command = program
    .command('backup')
    .description('copy everything that a coordinator keeps, as of one moment, while it works on')
    .requiredOption('--out <folder>', 'a new folder: it appears whole and checked, or not at all');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl backup --out backups/monday', 'of the coordinator on this machine'],
      ['trawl backup --dir sweeps --out backups/monday', 'of a folder, whether a coordinator runs on it or not'],
      ['trawl restore backups/monday --dir sweeps-again', 'makes a folder of it to start a coordinator on'],
    ],
    exits: [
      [3, 'no coordinator could be reached, or what arrived was not whole'],
      [4, 'refused: the folder is there already, or another backup is being made'],
    ],
  }).action((options: Options) => backup(options));
}
