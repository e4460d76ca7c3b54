import type { SweepSpec } from '../../coordinator/grid/spec.ts';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { readSweepFile } from '../../coordinator/sweepfile/read.ts';

export interface LoadedSweepFile {
  /** The name given by the user. */
  readonly fileName: string;
  readonly text: string;
  readonly spec: SweepSpec;
}

/**
 * Reads and validates a sweep file.
 * @throws {BadInputError} with file, line and column
 */
export async function loadSweepFile(fileName: string): Promise<LoadedSweepFile> {
  const text = await readSweepFile(fileName);
  return { fileName, text, spec: parseSweep(text, fileName) };
}
