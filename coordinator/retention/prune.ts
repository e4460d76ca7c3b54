/**
 * Removes ended sweeps. The rows of a sweep are removed in one transaction, and the files of the sweep afterward. The
 * transaction also records that the files are still to be removed. If the process dies before it has removed them, the
 * next prune completes the removal. A starting coordinator moves any remaining files of removed sweeps to `orphans/`
 * (artifacts/orphans.ts).
 */
import type { Logger } from 'pino';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { BadInputError } from '../../proto/errors.ts';
import type { ArtifactStore } from '../artifacts/artifact-store.ts';
import { type CodeArchives, type RemovedCode, UNUSED_CODE_MS } from '../artifacts/code-archives.ts';
import type { OrphanSet } from '../artifacts/orphans.ts';
import type { EndedSweep } from '../store/ended-sweeps.ts';
import type { Store } from '../store/store.ts';

export interface PruneOptions {
  /** Removes only sweeps that ended at least this many milliseconds ago. */
  readonly olderThanMs: number;
  /** The number of newest ended sweeps that are kept, regardless of their age. */
  readonly keep: number;
  /** If true, the sweeps are returned but not removed. */
  readonly dryRun: boolean;
}

/**
 * Rejects a request that has no selector, such as an empty request. A request to remove every ended sweep must have the
 * selector `all`.
 * @throws {BadInputError} if the request has no selector, or has `all` together with another selector
 */
export function checkSelector({
  olderThanMs,
  keep,
  all,
}: Pick<PruneOptions, 'olderThanMs' | 'keep'> & { all: boolean }) {
  const isLimited = olderThanMs > 0 || keep > 0;
  if (!isLimited && !all) {
    throw new BadInputError(
      'prune needs a selector: expected "older_than_ms" or "keep" above 0, or "all" to remove every ended sweep',
    );
  }
  if (isLimited && all) {
    throw new BadInputError(
      'prune got the selector "all" with another selector: omit "all", or omit "older_than_ms" and "keep"',
    );
  }
}

export type PrunedSweep = EndedSweep;

/** The coordinator whose store is pruned. */
export interface PrunedCoordinator {
  /** Returns whether a sweep that had ended is running again. */
  isLive(sweepId: string): boolean;
  /** Runs an operation while no request of a user changes a sweep. */
  exclusively<T>(operation: () => Promise<T>): Promise<T>;
  /** Runs a write while no other write runs. */
  write<T>(operation: () => Promise<T>): Promise<T>;
}

/** Used instead of a coordinator if no coordinator uses the store. */
const NO_COORDINATOR: PrunedCoordinator = {
  isLive: () => false,
  exclusively: (operation) => operation(),
  write: (operation) => operation(),
};

export class Pruner {
  readonly #store: Store;
  readonly #files: Pick<ArtifactStore, 'removeSweep' | 'removeOrphans'>;
  readonly #archives: Pick<CodeArchives, 'removeUnused'>;
  readonly #coordinator: PrunedCoordinator;

  constructor(
    store: Store,
    files: Pick<ArtifactStore, 'removeSweep' | 'removeOrphans'>,
    archives: Pick<CodeArchives, 'removeUnused'>,
    coordinator: PrunedCoordinator = NO_COORDINATOR,
  ) {
    this.#store = store;
    this.#files = files;
    this.#archives = archives;
    this.#coordinator = coordinator;
  }

  /**
   * Removes the sweeps that the options select, one at a time, so that other calls are served in between.
   * @returns the removed sweeps, or in a dry run the selected sweeps, oldest first
   */
  async prune(options: PruneOptions, now: number): Promise<PrunedSweep[]> {
    const { olderThanMs, keep } = options;
    const chosen = await this.#store.endedSweeps({ endedBefore: now - olderThanMs, keep });
    if (options.dryRun) return chosen;
    for (const sweepId of await this.#store.pendingRemovals()) await this.#removeFiles(sweepId);
    const pruned: PrunedSweep[] = [];
    for (const sweep of chosen) {
      if (!(await this.#removeRows(sweep))) continue;
      await this.#removeFiles(sweep.id);
      pruned.push(sweep);
    }
    return pruned;
  }

  /**
   * Removes code archives that no sweep uses any longer and whose last upload was at least an hour ago.
   * @param pruned the sweeps that count as removed, even in a dry run
   */
  pruneCode(pruned: readonly PrunedSweep[], dryRun: boolean, now: number): Promise<RemovedCode> {
    const { sweeps } = this.#store.queries();
    const gone = new Set(pruned.map(({ id }) => id));
    const isUsed = async (sha256: string) => (await sweeps.withCode(sha256)).some((id) => !gone.has(id));
    return this.#archives.removeUnused(isUsed, now - UNUSED_CODE_MS, dryRun);
  }

  /**
   * Removes the rows of a sweep. Does nothing if the sweep is running again, or has run again since it was selected. A
   * sweep runs again when a user retries its trials or applies a new version.
   * @returns whether the rows were removed
   */
  #removeRows({ id, endedAtMs }: EndedSweep): Promise<boolean> {
    const { isLive, exclusively, write } = this.#coordinator;
    return exclusively(async () => {
      if (isLive(id) || (await this.#store.queries().sweeps.get(id)).endedAtMs !== endedAtMs) return false;
      await write(() => this.#store.removeSweep(id));
      return true;
    });
  }

  /** Removes the files of a sweep. During a backup, the removal is deferred, and the next prune tries again. */
  async #removeFiles(sweepId: string): Promise<void> {
    if (await this.#files.removeSweep(sweepId)) await this.#coordinator.write(() => this.#store.endRemoval(sweepId));
  }

  /** Removes orphans (see ArtifactStore.removeOrphans). The files of a sweep that has not ended are never orphans. */
  pruneOrphans(before: number, dryRun: boolean, now: number): Promise<OrphanSet[]> {
    const { artifacts, sweeps } = this.#store.queries();
    const isNamed = async (key: AttemptKey, name: string, sha256: string) =>
      (await sweeps.isUnfinished(key.sweepId)) || (await artifacts.has(key, name, sha256));
    return this.#files.removeOrphans(isNamed, before, dryRun, now);
  }
}

export interface Pruned {
  readonly sweeps: PrunedSweep[];
  readonly code: RemovedCode;
  readonly orphans: OrphanSet[];
}

/** Prunes sweeps, the code archives that no remaining sweep uses and, on request, orphans. */
export async function pruneAll(
  pruner: Pruner,
  options: PruneOptions & { readonly orphans: boolean },
  now: number,
): Promise<Pruned> {
  const { olderThanMs, dryRun } = options;
  const sweeps = await pruner.prune(options, now);
  const code = await pruner.pruneCode(sweeps, dryRun, now);
  return { sweeps, code, orphans: options.orphans ? await pruner.pruneOrphans(now - olderThanMs, dryRun, now) : [] };
}

const RETENTION_INTERVAL_MS = 3_600_000;

/**
 * Prunes sweeps that ended more than `retainMs` ago, immediately and then every hour. Unused code archives are not
 * pruned immediately, but only every hour.
 * @returns a function that stops the pruning
 */
export function startRetention(pruner: Pruner, retainMs: number, now: () => number, log: Logger): () => void {
  const prune = async () => {
    const pruned = await pruner.prune({ olderThanMs: retainMs, keep: 0, dryRun: false }, now());
    for (const { id, name, trials, bytes } of pruned) {
      log.info({ sweepId: id, name, trials, bytes }, 'pruned a sweep');
    }
  };
  const pruneWithCode = async () => {
    await prune();
    const { archives, bytes } = await pruner.pruneCode([], false, now());
    if (archives > 0) log.info({ archives, bytes }, 'pruned unused code archives');
  };
  const onError = (error: unknown) => log.error({ err: error }, 'could not prune old sweeps');
  prune().catch(onError);
  const timer = setInterval(() => void pruneWithCode().catch(onError), RETENTION_INTERVAL_MS);
  return () => clearInterval(timer);
}
