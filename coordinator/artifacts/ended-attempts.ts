/**
 * Removes the unneeded files of ended attempts. A file is unneeded if no record names it: for example, a partial
 * upload, or a file whose record did not arrive.
 */
import type { Logger } from 'pino';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import type { Step } from '../core/step.ts';
import type { Commit } from '../store/journal.ts';
import type { ArtifactStore } from './artifact-store.ts';

interface DurableStore {
  settle(step: Step): Promise<void>;
  readonly queries: { readonly artifacts: { has(key: AttemptKey, name: string, sha256?: string): Promise<boolean> } };
}

export interface AttemptFileCleaner {
  /** Removes the unneeded files of the attempts that a durable commit ended. */
  afterCommit(commit: Commit): void;
  /**
   * Called after the last upload of an attempt that has ended. Removes the unneeded files of the attempt once all its
   * records are durable.
   */
  afterUpload(key: AttemptKey): void;
}

export function attemptFileCleaner(
  store: DurableStore,
  files: Pick<ArtifactStore, 'removeUnnamed'>,
  isClosing: (key: AttemptKey) => boolean,
  log: Logger,
): AttemptFileCleaner {
  const clean = (key: AttemptKey) =>
    files.removeUnnamed(key, (name, sha256) => store.queries.artifacts.has(key, name, sha256));
  const onError = (error: unknown) => log.warn({ err: error }, 'could not remove the files of an ended attempt');
  return {
    afterCommit({ changes }) {
      for (const change of changes) {
        // The files of an attempt that still sends files are cleaned up when the attempt is closed.
        if (change.kind === 'ended' && !isClosing(change.key)) clean(change.key).catch(onError);
      }
    },
    afterUpload(key) {
      const settled = store.settle({ changes: [], outputs: [] });
      settled.then(() => clean(key)).catch(onError);
    },
  };
}
