/** Keeps a program's checkpoints while it runs, and its artifacts when it has ended. */
import { readdirSync } from 'node:fs';
import { copyFile, lstat, readdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { extname, join, resolve, sep } from 'node:path';
import { errorMessage } from '../../../lib/text/error-message.ts';
import { BadInputError } from '../../../proto/errors.ts';
import { artifactNameProblem, MAX_ARTIFACT_BYTES } from '../../../proto/limits.ts';
import type { AttemptLog, KeptArtifact, TrainingRun } from '../trainer.ts';
import type { ProgramFolders } from './invocation.ts';

const EXTENSION = /^\.[A-Za-z0-9]{1,16}$/;
const MAX_DEPTH = 32;

/**
 * Keeps a checkpoint. If the file changes during the copy, exceeds a limit, or is not in TRAWL_DIR, it is skipped with
 * a note in the log, and the trial continues.
 * @param path relative to TRAWL_DIR, or absolute and inside it
 */
export async function keepCheckpoint(
  run: Pick<TrainingRun, 'keep'>,
  { own, checkpoint: copy }: ProgramFolders,
  { epoch, path }: { readonly epoch: number; readonly path: string },
  log: AttemptLog,
): Promise<void> {
  const file = await fileIn(own, path);
  if (file === undefined) {
    log.note(
      `skipped the checkpoint ${JSON.stringify(path)}: expected a file in TRAWL_DIR that is complete when the program prints its path`,
    );
    return;
  }
  const before = await stat(file);
  await copyFile(file, copy);
  const after = await stat(file);
  if (before.ino !== after.ino || before.size !== after.size || before.mtimeMs !== after.mtimeMs) {
    log.note(`skipped the checkpoint of epoch ${epoch}: the program changed it during the copy`);
    return;
  }
  const extension = extname(path);
  const name = `checkpoints/epoch-${epoch}${EXTENSION.test(extension) ? extension : ''}`;
  const problem = await keep(run, { name, kind: 'checkpoint', epoch }, copy);
  if (problem !== undefined) log.note(`skipped the checkpoint of epoch ${epoch}: ${problem}`);
}

async function fileIn(folder: string, path: string): Promise<string | undefined> {
  const root = await realpath(folder);
  const file = await realpath(resolve(folder, path)).catch(() => undefined);
  const isInside = file?.startsWith(`${root}${sep}`) === true && (await stat(file)).isFile();
  return isInside ? file : undefined;
}

/**
 * Keeps all files in the folder and its subfolders. A file that cannot be kept causes a note in the log, and does not
 * affect the trial.
 * @param nameOf returns the name of a file's artifact, or undefined if the file is not kept
 */
export async function keepArtifacts(
  run: Pick<TrainingRun, 'keep'>,
  folder: string,
  log: AttemptLog,
  nameOf: (file: string) => string | undefined = (file) => file,
): Promise<void> {
  for await (const file of filesBelow(folder, '', log)) {
    const name = nameOf(file);
    if (name === undefined) continue;
    const path = join(folder, file);
    const { size } = await lstat(path);
    const problem =
      artifactNameProblem(name) ??
      (size > MAX_ARTIFACT_BYTES ? `it has ${size} bytes; expected at most ${MAX_ARTIFACT_BYTES}` : undefined) ??
      (await keep(run, { name, kind: 'file', epoch: 0 }, path));
    if (problem !== undefined) log.note(`skipped the artifact ${JSON.stringify(name)}: ${problem}`);
  }
}

/** @returns the reason why the file cannot be kept; undefined if the file is kept */
async function keep(run: Pick<TrainingRun, 'keep'>, artifact: KeptArtifact, path: string): Promise<string | undefined> {
  try {
    await run.keep(artifact, { path });
    return undefined;
  } catch (error) {
    if (error instanceof BadInputError) return error.message;
    throw error;
  }
}

/** Yields the paths of all regular files, relative to the top folder and in the order of their names. */
async function* filesBelow(top: string, below: string, log: AttemptLog): AsyncGenerator<string, void, undefined> {
  const entries = readdirSync(join(top, below), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isFile()) yield name;
    else if (entry.isDirectory() && name.split('/').length < MAX_DEPTH) yield* filesBelow(top, name, log);
    // Links and pipes are skipped: a link can point to any path, and reading a pipe would block.
    else log.note(`skipped the artifact ${JSON.stringify(name)}: not a regular file`);
  }
}

/**
 * Replaces each link in a folder and its subfolders with a copy of the file to which the link points. Links to files
 * of more than MAX_ARTIFACT_BYTES, and links that do not point to a file, are not changed. A file that cannot be copied
 * causes a note in the log.
 */
export async function copyLinkedFiles(folder: string, log: AttemptLog): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  for (const entry of entries.filter((each) => each.isSymbolicLink())) {
    const link = join(entry.parentPath, entry.name);
    const target = await stat(link).catch(() => undefined);
    if (!target?.isFile() || target.size > MAX_ARTIFACT_BYTES) continue;
    const copy = `${link}.copy`;
    try {
      await copyFile(link, copy);
      await rename(copy, link);
    } catch (error) {
      await rm(copy, { force: true });
      log.note(`could not copy ${JSON.stringify(entry.name)}: ${errorMessage(error)}`);
    }
  }
}
