/** What a program left in the folder for artifacts is kept with the trial. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { artifactNameProblem, MAX_ARTIFACT_BYTES } from '../../../proto/artifacts.ts';
import { BadInputError } from '../../../proto/errors.ts';
import type { TrainingRun } from '../trainer.ts';
import type { AttemptLog } from './log.ts';

/** Folders within folders that are looked into. */
const MAX_DEPTH = 32;

/** What cannot be kept is told of in the log, and costs the trial nothing. */
export async function keepArtifacts(run: Pick<TrainingRun, 'keep'>, folder: string, log: AttemptLog): Promise<void> {
  for await (const name of filesBelow(folder, '', log)) {
    const path = join(folder, name);
    const { size } = await lstat(path);
    const problem =
      artifactNameProblem(name) ??
      (size > MAX_ARTIFACT_BYTES ? `it has ${size} bytes: expected at most ${MAX_ARTIFACT_BYTES}` : undefined) ??
      (await keep(run, name, path));
    if (problem !== undefined) log.note(`the artifact ${JSON.stringify(name)} is not kept: ${problem}`);
  }
}

/** @returns why not */
async function keep(run: Pick<TrainingRun, 'keep'>, name: string, path: string): Promise<string | undefined> {
  try {
    await run.keep({ name, kind: 'file', epoch: 0 }, { path });
    return undefined;
  } catch (error) {
    if (error instanceof BadInputError) return error.message;
    throw error;
  }
}

/** Names relative to the top folder, in order. */
async function* filesBelow(top: string, below: string, log: AttemptLog): AsyncGenerator<string, void, undefined> {
  const entries = await readdir(join(top, below), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isFile()) yield name;
    else if (entry.isDirectory() && name.split('/').length < MAX_DEPTH) yield* filesBelow(top, name, log);
    // A link may lead anywhere, and a pipe would be waited for.
    else log.note(`the artifact ${JSON.stringify(name)} is not kept: it is no plain file`);
  }
}
