/** Turns a grant into the assignment of a worker. */
import type { Logger } from 'pino';
import { fromWire } from '../../lib/domain/parameters.ts';
import type { Artifact } from '../../proto/gen/trawl/v1/types.ts';
import { StructuredValue } from '../../proto/values.ts';
import { attemptFolder, resumeFile } from '../folders.ts';
import type { Assignment } from '../worker/ipc.ts';
import type { Granted } from './slots.ts';

/**
 * Downloads the checkpoint that the attempt resumes from, if any. Without an intact checkpoint the attempt starts from
 * the first epoch.
 * @param agentDir the agent's folder
 * @param fetchCheckpoint resolves with whether the checkpoint is intact in the attempt's folder
 * @throws {Error} when the grant holds a parameter that this agent cannot read (a coordinator of another version)
 */
export async function prepareAssignment(
  agentDir: string,
  { key, grant }: Granted,
  log: Logger,
  fetchCheckpoint: (checkpoint: Artifact) => Promise<boolean>,
): Promise<Assignment> {
  const { trainer, seed, command, program, checkpointEvery, reconstructEvery, resume: checkpoint } = grant;
  const parameters = Object.fromEntries(
    Object.entries(fromWire(grant.parameters)).map(([name, value]) => [
      name,
      value instanceof StructuredValue ? value.data : value,
    ]),
  );
  const folder = attemptFolder(agentDir, key);
  const resume = async () => {
    if (checkpoint === undefined) return undefined;
    const { epoch } = checkpoint;
    if (await fetchCheckpoint(checkpoint)) return { epoch, path: resumeFile(folder) };
    log.warn({ ...key, epoch }, 'no intact checkpoint: the attempt starts from the first epoch');
    return undefined;
  };
  return {
    trainer,
    parameters,
    seed,
    key,
    command,
    program,
    checkpointEvery,
    reconstructEvery,
    folder,
    resume: await resume(),
  };
}
