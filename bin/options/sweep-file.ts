import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { checkRunnable } from '../../coordinator/grid/enumerate.ts';
import type { SweepSpec } from '../../coordinator/grid/spec.ts';
import { inlineValueFiles } from '../../coordinator/sweepfile/inline-value-files.ts';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { readSweepFile } from '../../coordinator/sweepfile/read.ts';

export interface LoadedSweepFile {
  /** The name given by the user. */
  readonly fileName: string;
  /** The text with the values of files that it names, so that a coordinator reads no files of its clients. */
  readonly text: string;
  readonly spec: SweepSpec;
}

/**
 * Reads and validates a sweep file, and the files of values that it names, relative to it.
 * @throws {BadInputError} with file, line and column
 */
export async function loadSweepFile(fileName: string): Promise<LoadedSweepFile> {
  const written = await readSweepFile(fileName);
  const folder = dirname(fileName);
  const text = await inlineValueFiles(written, fileName, (path) => readFile(resolve(folder, path), 'utf8'));
  return { fileName, text, spec: parseSweep(text, fileName) };
}

/**
 * As loadSweepFile, for a sweep that is to be run.
 * @throws {BadInputError} also for a sweep that can only be planned
 */
export async function loadRunnableSweepFile(fileName: string): Promise<LoadedSweepFile> {
  const file = await loadSweepFile(fileName);
  checkRunnable(file.spec);
  return file;
}
