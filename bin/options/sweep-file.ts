import type { SweepSpec } from '../../coordinator/grid/spec.ts';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { readSweepFile } from '../../coordinator/sweepfile/read.ts';

export interface LoadedSweepFile {
  /** As the user named it. */
  readonly fileName: string;
  readonly text: string;
  readonly spec: SweepSpec;
}

/**
 * Reads a sweep file and checks it whole, before anything is asked of a server.
 * @throws {BadInputError} naming file, line and column
 */
export async function loadSweepFile(fileName: string): Promise<LoadedSweepFile> {
  const text = await readSweepFile(fileName);
  return { fileName, text, spec: parseSweep(text, fileName) };
}
