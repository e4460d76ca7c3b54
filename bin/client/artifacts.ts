/** Lists and downloads artifacts. */
import { sha256Of } from '../../lib/files/checksum.ts';
import { DirectTransferError, readDirectly } from '../../lib/net/direct-transfer.ts';
import { DamagedError, NotFoundError, UnreachableError } from '../../proto/errors.ts';
import type { ReadRequest } from '../../proto/gen/trawl/v1/artifact_service.ts';
import type { Artifact } from '../../proto/gen/trawl/v1/types.ts';
import { artifactNameProblem } from '../../proto/limits.ts';
import type { Connection } from './connect.ts';
import { restartingStream } from './rpc.ts';

export interface TrialArtifact {
  readonly sweepId: string;
  readonly trialId: string;
  readonly artifact: Artifact;
}

/**
 * Lists the artifacts of trials, except checkpoints, sorted by trial, attempt and name.
 * @param selected the sweep and the trial. `selected.trial` is the id of a trial or a prefix of the id; an empty string
 *   selects every trial of the sweep.
 * @throws {NotFoundError | UnreachableError | DamagedError}
 */
export async function listArtifacts(
  connection: Connection,
  selected: { readonly sweep: string; readonly trial: string },
): Promise<TrialArtifact[]> {
  const artifacts: TrialArtifact[] = [];
  const discard = () => {
    artifacts.length = 0;
  };
  for await (const { trials } of restartingStream(connection, connection.artifacts.list, selected, discard)) {
    for (const { sweepId, trialId, artifacts: page } of trials) {
      for (const artifact of page) artifacts.push({ sweepId, trialId, artifact: checkedName(artifact, connection) });
    }
  }
  return artifacts;
}

/** Checks the name of an artifact, because the name becomes a local path. @throws {DamagedError} */
function checkedName(artifact: Artifact, { address }: Connection): Artifact {
  const problem = artifactNameProblem(artifact.name);
  if (problem === undefined) return artifact;
  throw new DamagedError(
    `the server at ${address} sent an invalid artifact name ${JSON.stringify(artifact.name)}: ${problem}`,
  );
}

/**
 * Downloads an artifact and verifies its checksum.
 * @param wanted the sweep, trial, attempt and name of the artifact. If `wanted.attempt` is 0, the artifact is read from
 *   the newest attempt that has an artifact of this name.
 * @throws {NotFoundError} when there is no artifact of that name
 * @throws {UnreachableError} when the connection is lost, or the checksum does not match
 */
export async function readArtifact(
  connection: Connection,
  wanted: Omit<ReadRequest, 'offset' | 'direct'>,
  direct = true,
): Promise<{ artifact: Artifact; bytes: Uint8Array }> {
  let artifact: Artifact | undefined;
  const chunks: Uint8Array[] = [];
  const request = { ...wanted, offset: 0, direct };
  const discard = () => {
    artifact = undefined;
    chunks.length = 0;
  };
  try {
    for await (const { message } of restartingStream(connection, connection.artifacts.read, request, discard)) {
      if (message?.$case === 'artifact') artifact = message.artifact;
      else if (message?.$case === 'chunk') chunks.push(message.chunk);
      else if (message?.$case === 'url') for await (const chunk of readDirectly(message.url, 0)) chunks.push(chunk);
    }
  } catch (error) {
    // This machine cannot reach the artifact store, so the coordinator sends the bytes.
    if (error instanceof DirectTransferError) return readArtifact(connection, wanted, false);
    throw error;
  }
  if (artifact === undefined)
    throw new NotFoundError(`trial ${wanted.trial} has no artifact ${JSON.stringify(wanted.name)}`);
  const bytes = Buffer.concat(chunks);
  if (sha256Of(bytes) !== artifact.sha256) {
    throw new UnreachableError(`artifact ${wanted.name} of trial ${wanted.trial} was damaged in transfer; retry`);
  }
  return { artifact, bytes };
}
