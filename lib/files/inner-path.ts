/**
 * Builds paths from names that come from a store, a backup or the wire, and rejects names that would lead out of the
 * folder.
 */
import { join } from 'node:path';
import { DamagedError } from '../../proto/errors.ts';
import { artifactNameProblem } from '../../proto/limits.ts';

/**
 * Joins names to a path below a folder. Each name can contain folders, separated by `/`.
 * @throws {DamagedError} when a name could leave the folder, or is not a valid name of an artifact
 */
export function innerPath(folder: string, ...names: readonly string[]): string {
  for (const segment of names.flatMap((name) => name.split('/'))) {
    const problem = artifactNameProblem(segment);
    if (problem === undefined) continue;
    throw new DamagedError(`invalid file name ${JSON.stringify(names.join('/'))}: ${problem}`);
  }
  return join(folder, ...names);
}
