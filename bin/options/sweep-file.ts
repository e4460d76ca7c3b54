import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { SweepSpec } from '../../coordinator/grid/spec.ts';
import { sweepFingerprint } from '../../coordinator/sweepfile/fingerprint.ts';
import { inlineValueFiles } from '../../coordinator/sweepfile/inline-value-files.ts';
import { parseStoredSweep, parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { readSweepFile } from '../../coordinator/sweepfile/read.ts';

export interface LoadedSweepFile {
  /** The file name that the user gave. */
  readonly fileName: string;
  /**
   * The text of the sweep file. Values from other files are inlined, because a coordinator cannot read the files of its
   * clients.
   */
  readonly text: string;
  readonly spec: SweepSpec;
  readonly fingerprint: string;
}

/**
 * Reads and validates a sweep file, and inlines the values from the files that it names. The paths of these files are
 * relative to the sweep file.
 * @throws {BadInputError} when the sweep file is invalid; the message contains the file name, the line and the column
 */
export async function loadSweepFile(fileName: string): Promise<LoadedSweepFile> {
  const written = await readSweepFile(fileName);
  const folder = dirname(fileName);
  const text = await inlineValueFiles(written, fileName, (path) => readFile(resolve(folder, path), 'utf8'));
  const spec = parseSweep(text, fileName);
  return { fileName, text, spec, fingerprint: sweepFingerprint(spec) };
}

/**
 * Parses a sweep file that a coordinator has stored. Returns undefined for a file that only another
 * version of trawl accepts.
 */
export function storedSpec(text: string, name: string): SweepSpec | undefined {
  try {
    return parseStoredSweep(text, name);
  } catch {
    return undefined;
  }
}
