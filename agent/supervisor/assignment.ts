/** Turns grants into assignments, and sends the assignments to a worker. */
import type { Logger } from 'pino';
import { type AttemptKey, sameAttempt } from '../../lib/domain/attempt-key.ts';
import { fromWire } from '../../lib/domain/parameters.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import type { Grant } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Artifact, CodeArchive } from '../../proto/gen/trawl/v1/types.ts';
import { StructuredValue } from '../../proto/values.ts';
import { attemptFolder, codeFile, resumeFile } from '../folders.ts';
import type { Assignment } from '../worker/ipc.ts';
import type { Granted } from './slot-effects.ts';
import type { Workers } from './workers.ts';

/** Downloads files from the coordinator into the attempt's folder. */
interface Downloads {
  /**
   * Downloads the checkpoint. Resolves with true if the downloaded file is complete and intact, and otherwise with
   * false.
   */
  checkpoint(checkpoint: Artifact): Promise<boolean>;
  /**
   * Puts the code archive at the path.
   * @throws {CodeUnavailableError}
   */
  code(archive: CodeArchive, path: string): Promise<void>;
}

interface StartParts {
  /** The agent's folder. */
  readonly dir: string;
  readonly log: Logger;
  /** Whether the slot still holds the attempt. The coordinator can dismiss an attempt during its downloads. */
  readonly isWanted: (key: AttemptKey) => boolean;
  readonly downloads: (granted: Granted) => Downloads;
  readonly workers: Pick<Workers, 'run'>;
  /** Called for each attempt that does not start. */
  readonly onDropped: (key: AttemptKey) => void;
  /** Called if the grant, the code or the checkpoint of an attempt prevents its start. The message is the reason. */
  readonly onFailed: (key: AttemptKey, message: string) => void;
}

/** Prepares the attempts that were granted to a slot, and starts those that are still wanted. */
export async function startGranted(slot: number, granted: readonly Granted[], parts: StartParts): Promise<void> {
  const { log, isWanted, workers, onDropped } = parts;
  const prepared = await Promise.all(granted.map((one) => prepareWanted(one, parts)));
  const assignments = prepared.filter((assignment) => assignment !== undefined).filter(({ key }) => isWanted(key));
  for (const { key } of granted) {
    if (!assignments.some((assignment) => sameAttempt(assignment.key, key))) onDropped(key);
  }
  for (const { key } of assignments) log.debug({ ...key, slot }, 'an attempt starts');
  if (assignments.length > 0) workers.run(slot, assignments);
}

async function prepareWanted(granted: Granted, parts: StartParts): Promise<Assignment | undefined> {
  const { dir, log, isWanted, downloads, onFailed } = parts;
  const { key } = granted;
  try {
    return await prepareAssignment(dir, granted, log, downloads(granted));
  } catch (error) {
    if (isWanted(key)) log.error({ err: error, ...key }, 'an attempt cannot start');
    onFailed(key, errorMessage(error));
    return undefined;
  }
}

/**
 * Downloads the code of an attempt and the checkpoint to resume from, if the grant names them. Without an intact
 * checkpoint, the attempt starts from the first epoch, unless its trial has a parent.
 * @param agentDir the agent's folder
 * @throws {Error} when the grant has a parameter that this agent cannot read (for example, from a coordinator of
 * another version), or when a trial with a parent has no intact checkpoint
 * @throws {CodeUnavailableError} when the code could not be downloaded
 */
async function prepareAssignment(
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
    const whose = checkpoint === undefined || checkpoint.attempt === 0 ? `the parent trial ${parent}` : 'this trial';
    throw new Error(`the checkpoint of ${whose} is missing or damaged, and this trial cannot start without it`);
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
