/** Prints the warnings about the program of a sweep file. */
import { programWarnings } from '../client/program-warnings.ts';
import { note } from './print.ts';

/** Prints each warning to stderr. */
export async function noteProgramWarnings(...file: Parameters<typeof programWarnings>): Promise<void> {
  for (const warning of await programWarnings(...file)) note(`warning: ${warning}`);
}
