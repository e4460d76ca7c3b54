import type { Command } from 'commander';
import { type OutputOptions, withHelp, withOutput } from '../options/common.ts';
import { print, printJson } from '../output/print.ts';

type Options = OutputOptions & { readonly dir: string };

async function restore(from: string, { dir, output }: Options): Promise<void> {
  const { restoreBackup } = await import('../../coordinator/backup/restore.ts');
  const told = await restoreBackup(from, dir);
  if (output === 'json') return printJson({ folder: dir, ...told });
  return print(
    `${dir} is the coordinator of ${told.created_at} again: start it with "trawl coordinator --dir ${dir}", or look ` +
      `with "trawl ls --dir ${dir}"\n`,
  );
}

export function registerRestore(program: Command): void {
  const command = program
    .command('restore')
    .description("make a coordinator's folder of a backup")
    .argument('<backup>', 'a folder that "trawl backup" made')
    .requiredOption('--dir <folder>', 'a new or empty folder');
  withHelp(withOutput(command), {
    remote: false,
    examples: [['trawl restore backups/monday --dir sweeps-again', 'then: trawl coordinator --dir sweeps-again']],
    exits: [
      [3, 'the backup is torn or was altered'],
      [4, 'refused: the folder is not empty, or a newer trawl made the backup'],
    ],
  }).action((from: string, options: Options) => restore(from, options));
}
