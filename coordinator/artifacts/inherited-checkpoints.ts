/**
 * Gives the checkpoints of parents to their children (population based training). In the store, a row of the child also
 * names the parent's file, so that the file is kept until the child has a checkpoint of its own. The file is added to
 * the child after the commit that created the child, and before the parent's file is removed.
 */
import { errorMessage } from '../../lib/text/error-message.ts';
import { PARENT_ATTEMPT } from '../core/population.ts';
import type { Change } from '../core/step.ts';
import type { ArtifactStore, StoredArtifact } from './artifact-store.ts';

interface Warn {
  warn(fields: object, message: string): void;
}

/** A parent's checkpoint, from which its child starts. */
export interface InheritedCheckpoint extends StoredArtifact {
  readonly sweepId: string;
  readonly trialId: string;
  readonly parent: string;
  /** The parent's attempt that produced the checkpoint. */
  readonly attempt: number;
}

/** Returns the inherited checkpoint of each child that a commit created. */
export function inheritedBy(changes: readonly Change[]): InheritedCheckpoint[] {
  return changes.flatMap((change): InheritedCheckpoint[] => {
    if (change.kind !== 'inherited') return [];
    const { sweepId, trial, origin } = change;
    const { attempt, name, size, sha256 } = origin.checkpoint;
    return [{ sweepId, trialId: trial.trialId, parent: origin.parent, attempt, name, size, sha256 }];
  });
}

/**
 * Adds the parents' checkpoints to their children. Existing files are not changed. At its start, a coordinator
 * therefore adds only the files that are missing because of a crash after the commit. If a file cannot be added, the
 * attempts of the child fail, and their error names the missing checkpoint.
 */
export async function shareCheckpoints(
  inherited: readonly InheritedCheckpoint[],
  files: Pick<ArtifactStore, 'share'>,
  log: Warn,
): Promise<void> {
  await Promise.all(
    inherited.map(async ({ sweepId, trialId, parent, attempt, ...artifact }) => {
      try {
        const [from, to] = [
          { sweepId, trialId: parent, attempt },
          { sweepId, trialId, attempt: PARENT_ATTEMPT },
        ];
        await files.share(from, to, artifact);
      } catch (error) {
        const { name } = artifact;
        const reason = errorMessage(error);
        log.warn({ sweepId, trialId, parent, name, reason }, "could not add a parent's checkpoint to its child");
      }
    }),
  );
}
