/** A checkpoint that a program says it has written is kept while the program goes on. */
import { copyFile, realpath, stat } from 'node:fs/promises';
import { extname, resolve, sep } from 'node:path';
import { BadInputError } from '../../../proto/errors.ts';
import { TrainingError, type TrainingRun } from '../trainer.ts';
import type { Folders } from './folders.ts';
import type { AttemptLog } from './log.ts';

/** An ending that is kept, so that `checkpoints/epoch-3.pt` says what it is. */
const EXTENSION = /^\.[A-Za-z0-9]{1,16}$/;

/**
 * A file that the program changes meanwhile is not kept: the next one will do. A checkpoint too many or too large is
 * not worth a trial either; the log tells of both.
 * @param path relative to TRAWL_DIR, or absolute and in it
 * @throws {TrainingError} `rejected` for a path that is no file there
 */
export async function keepCheckpoint(
  run: Pick<TrainingRun, 'keep'>,
  { own, checkpoint: copy }: Folders,
  { epoch, path }: { readonly epoch: number; readonly path: string },
  log: AttemptLog,
): Promise<void> {
  const file = await fileIn(own, path);
  const before = await stat(file);
  await copyFile(file, copy);
  const after = await stat(file);
  if (before.ino !== after.ino || before.size !== after.size || before.mtimeMs !== after.mtimeMs) {
    log.note(`the checkpoint of epoch ${epoch} was written to while it was copied: it is not kept`);
    return;
  }
  const extension = extname(path);
  const name = `checkpoints/epoch-${epoch}${EXTENSION.test(extension) ? extension : ''}`;
  try {
    await run.keep({ name, kind: 'checkpoint', epoch }, { path: copy });
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    log.note(`the checkpoint of epoch ${epoch} is not kept: ${error.message}`);
  }
}

async function fileIn(folder: string, path: string): Promise<string> {
  const root = await realpath(folder);
  const file = await realpath(resolve(folder, path)).catch(() => undefined);
  const inside = file?.startsWith(`${root}${sep}`) === true && (await stat(file)).isFile();
  if (file !== undefined && inside) return file;
  const wanted = 'expected a file in the folder that TRAWL_DIR names, whole when the line is printed';
  throw new TrainingError('rejected', `checkpoint ${JSON.stringify(path)}: ${wanted}`);
}
