/** Where a program is, as a shell would find it. Found before it is started, so that what is missing is told well. */
import { access, constants, stat } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { TrainingError } from '../trainer.ts';

/** What a shell searches when PATH is not set. */
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';

/**
 * @param name a path (relative to the workdir), or the name of a file in one of PATH's folders
 * @returns an absolute path
 * @throws {TrainingError} `preflight`
 */
export async function findProgram(name: string, workdir: string, path: string | undefined): Promise<string> {
  if (!(await isFolder(workdir))) {
    throw new TrainingError(
      'preflight',
      `the folder ${workdir}, in which programs are to run (--workdir), is not there`,
    );
  }
  const isPath = name.includes('/');
  const candidates = isPath
    ? [resolve(workdir, name)]
    : (path ?? DEFAULT_PATH).split(delimiter).map((folder) => join(resolve(workdir, folder), name));
  for (const candidate of candidates) if (await isProgram(candidate)) return candidate;
  const where = isPath ? `in ${workdir}` : `on the agent's PATH (workdir ${workdir})`;
  throw new TrainingError('preflight', `no program ${JSON.stringify(name)} that can be run was found ${where}`);
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
