/** Turns a grant into the assignment of a worker. */
import type { Logger } from 'pino';
import { fromWire } from '../../lib/domain/parameters.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import type { Grant } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Artifact, CodeArchive } from '../../proto/gen/trawl/v1/types.ts';
import { StructuredValue } from '../../proto/values.ts';
import { attemptFolder, codeFile, resumeFile } from '../folders.ts';
import type { Assignment } from '../worker/ipc.ts';
import type { Granted } from './slots.ts';

/** The files that were downloaded from the coordinator into the attempt's folder. */
export interface Downloads {
  /** Resolves with true if the intact checkpoint is in the attempt's folder. */
  checkpoint(checkpoint: Artifact): Promise<boolean>;
  /**
   * Puts the code archive at the path.
   * @throws {CodeUnavailableError}
   */
  code(archive: CodeArchive, path: string): Promise<void>;
}

/**
 * Downloads the code of an attempt and the checkpoint to resume from, if the grant names them. Without an intact
 * checkpoint, the attempt starts from the first epoch, unless its trial has a parent.
 * @param agentDir the agent's folder
 * @throws {Error} when the grant holds a parameter that this agent cannot read (a coordinator of another version), or when
 * a trial with a parent has no intact checkpoint
 * @throws {CodeUnavailableError} when the code could not be downloaded
 */
export async function prepareAssignment(
  agentDir: string,
  { key, grant }: Granted,
  log: Logger,
  downloads: Downloads,
): Promise<Assignment> {
  const { trainer, seed, command, program, checkpointEvery, reconstructEvery, parent, resume: checkpoint } = grant;
  const parameters = parametersOf(grant);
  const folder = attemptFolder(agentDir, key);
  const resume = async () => {
    if (checkpoint === undefined) return undefined;
    const { epoch } = checkpoint;
    const inherited = checkpoint.attempt === 0;
    if (await downloads.checkpoint(checkpoint)) return { epoch, path: resumeFile(folder), inherited };
    if (parent !== '') return undefined;
    log.warn({ ...key, epoch }, 'no intact checkpoint: the attempt starts from the first epoch');
    return undefined;
  };
  const archive = program?.code;
  const code = archive && codeFile(folder);
  if (archive !== undefined && code !== undefined) await downloads.code(archive, code);
  const resumed = await resume();
  if (parent !== '' && resumed === undefined) {
    const whose = checkpoint === undefined || checkpoint.attempt === 0 ? `its parent, trial ${parent},` : 'the trial';
    throw new Error(`the checkpoint of ${whose} is missing or damaged, and the trial cannot start without it`);
  }
  return {
    trainer,
    parameters,
    seed,
    key,
    command,
    program,
    code,
    checkpointEvery,
    reconstructEvery,
    folder,
    resume: resumed,
  };
}

function parametersOf(grant: Grant): Assignment['parameters'] {
  try {
    const values = Object.entries(fromWire(grant.parameters));
    return Object.fromEntries(
      values.map(([name, value]) => [name, value instanceof StructuredValue ? value.data : value]),
    );
  } catch (error) {
    throw new Error(`the agent could not read the grant: ${errorMessage(error)}`, { cause: error });
  }
}
