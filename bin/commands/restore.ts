import type { Command } from 'commander';
import { keepFilesPrivate } from '../../lib/files/private-files.ts';
import { type OutputOptions, withHelp, withOutput } from '../options/common.ts';
import { pathOption } from '../options/values.ts';
import { print, printJson } from '../output/print.ts';

type Options = OutputOptions & { readonly dir: string };

async function restore(from: string, { dir, output }: Options): Promise<void> {
  keepFilesPrivate();
  const { restoreBackup } = await import('../../coordinator/backup/restore.ts');
  const manifest = await restoreBackup(from, dir);
  if (output === 'json') return printJson({ folder: dir, ...manifest });
  return print(
    `restored the backup of ${manifest.created_at} to ${dir}; run a coordinator on it with "trawl coordinator --dir ` +
      `${dir}", or list its sweeps with "trawl ls --dir ${dir}"\n`,
  );
}

export function registerRestore(program: Command): void {
  const command = program
    .command('restore')
    .description('restore a backup to a new data folder')
    .argument('<backup>', 'backup folder, created by "trawl backup"')
    .requiredOption(
      '--dir <folder>',
      'new or empty data folder, or the folder of an interrupted restore of the same backup',
      pathOption,
    );
  withHelp(withOutput(command), {
    remote: false,
    examples: [
      ['trawl restore backups/monday --dir sweeps-restored', 'then: trawl coordinator --dir sweeps-restored'],
      [
        "trawl migrate --dir sweeps-restored --to-store 'postgres://USER@HOST/DATABASE'",
        'move the restored store into PostgreSQL',
      ],
    ],
    exits: [
      [3, 'the backup is incomplete or was modified'],
      [4, 'rejected: the folder has other files, or a newer trawl created the backup'],
    ],
  }).action((from: string, options: Options) => restore(from, options));
}
