/**
 * Removes ended sweeps. The rows of a sweep are removed in one transaction, and its files afterwards. The transaction
 * records the removal, so that the next prune continues if the process dies in between. When the coordinator starts, it
 * moves any files that still remain in its folder to `orphans/` (artifacts/orphans.ts).
 */
import type { Database } from 'libsql';
import type { Logger } from 'pino';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { BadInputError } from '../../proto/errors.ts';
import type { SweepStateName } from '../../proto/names.ts';
import type { ArtifactStore } from '../artifacts/artifact-store.ts';
import { type CodeArchives, type RemovedCode, UNUSED_CODE_MS } from '../artifacts/code-archives.ts';
import type { OrphanSet } from '../artifacts/orphans.ts';
import { endRemoval, noteRemoval, pendingRemovals } from '../store/artifact-location.ts';
import { ArtifactQueries } from '../store/artifact-queries.ts';
import { commitCounted } from '../store/high-water.ts';
import { SqliteReader } from '../store/reader.ts';

export interface PruneOptions {
  /** Removes only sweeps that ended at least this many milliseconds ago. */
  readonly olderThanMs: number;
  /** The number of newest ended sweeps that are kept, regardless of their age. */
  readonly keep: number;
  /** If true, the sweeps are returned but not removed. */
  readonly dryRun: boolean;
}

/**
 * Rejects a request that would remove every ended sweep without the selector `all`, such as an empty request.
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
      'prune needs a selector: expected older_than_ms or keep above 0, or all to remove every ended sweep',
    );
  }
  if (isLimited && all) {
    throw new BadInputError('prune got all together with older_than_ms or keep: expected only one of the two');
  }
}

export interface PrunedSweep {
  readonly id: string;
  readonly name: string;
  readonly state: SweepStateName;
  readonly endedAtMs: number;
  readonly trials: number;
  readonly artifacts: number;
  /** The total size of the sweep's artifacts, in bytes. */
  readonly bytes: number;
}

/**
 * The tables that contain rows of a sweep. The table of trials comes first, because its trigger changes rows of another
 * of these tables when trials are removed.
 */
const SWEEP_TABLES = `
  select name from sqlite_schema as s
  where type = 'table' and exists (select 1 from pragma_table_info(s.name) where name = 'sweep_id')
  order by name <> 'trials', name
`;

export class Pruner {
  readonly #db: Database;
  readonly #files: Pick<ArtifactStore, 'removeSweep' | 'removeOrphans'>;
  readonly #archives: Pick<CodeArchives, 'removeUnused'>;

  readonly #isLive: (sweepId: string) => boolean;

  /** @param isLive whether a sweep runs again because a user retried its trials */
  constructor(
    db: Database,
    files: Pick<ArtifactStore, 'removeSweep' | 'removeOrphans'>,
    archives: Pick<CodeArchives, 'removeUnused'>,
    isLive: (sweepId: string) => boolean = () => false,
  ) {
    this.#db = db;
    this.#files = files;
    this.#archives = archives;
    this.#isLive = isLive;
  }

  /**
   * Removes the sweeps that the options select, one at a time, so that other calls are served in between.
   * @returns the removed sweeps, oldest first
   */
  async prune(options: PruneOptions, now: number): Promise<PrunedSweep[]> {
    const chosen = this.#choose(options, now);
    if (options.dryRun) return chosen;
    for (const sweepId of pendingRemovals(this.#db)) await this.#removeFiles(sweepId);
    const pruned: PrunedSweep[] = [];
    for (const sweep of chosen) {
      if (this.#isLive(sweep.id)) continue;
      this.#removeRows(sweep.id);
      await this.#removeFiles(sweep.id);
      pruned.push(sweep);
    }
    return pruned;
  }

  /**
   * Removes code archives that no sweep names any longer and whose last upload was at least an hour ago.
   * @param pruned sweeps that count as removed, even in a dry run
   */
  pruneCode(pruned: readonly PrunedSweep[], dryRun: boolean, now: number): Promise<RemovedCode> {
    const uses = this.#db.prepare('select cast(sweep_id as text) as id from sources where sha256 = ?');
    const gone = new Set(pruned.map(({ id }) => id));
    const isUsed = async (sha256: string) => (uses.all(sha256) as { id: string }[]).some(({ id }) => !gone.has(id));
    return this.#archives.removeUnused(isUsed, now - UNUSED_CODE_MS, dryRun);
  }

  /** Removes the files of a sweep. If the removal is deferred, the next prune repeats it. */
  async #removeFiles(sweepId: string): Promise<void> {
    if (await this.#files.removeSweep(sweepId)) endRemoval(this.#db, sweepId);
  }

  /** Removes orphans (see ArtifactStore.removeOrphans). The files of a sweep that has not ended are never orphans. */
  pruneOrphans(before: number, dryRun: boolean, now: number): Promise<OrphanSet[]> {
    const artifacts = new ArtifactQueries(new SqliteReader(this.#db));
    const live = this.#db.prepare(
      "select 1 as found from sweeps where cast(id as text) = ? and state not in ('finished', 'stopped', 'killed')",
    );
    const isNamed = async (key: AttemptKey, name: string, sha256: string) =>
      live.get(key.sweepId) !== undefined || (await artifacts.has(key, name, sha256));
    return this.#files.removeOrphans(isNamed, before, dryRun, now);
  }

  /** Selects the sweeps to remove, oldest first. The newest sweep is never selected, so that its id is not reused. */
  #choose({ olderThanMs, keep }: PruneOptions, now: number): PrunedSweep[] {
    return this.#db
      .prepare(
        `with ended as (
           select id, name, state, ended_at, row_number() over (order by ended_at desc, id desc) as place from sweeps
           where state in ('finished', 'stopped', 'killed'))
         select cast(id as text) as id, name, state, ended_at as endedAtMs,
           (select count(*) from trials where sweep_id = ended.id) as trials,
           (select count(*) from artifacts where sweep_id = ended.id) as artifacts,
           (select coalesce(sum(size), 0) from artifacts where sweep_id = ended.id) as bytes
         from ended
         where place > ? and ended_at <= ? and id < (select max(id) from sweeps) order by ended_at, id`,
      )
      .all(keep, now - olderThanMs) as PrunedSweep[];
  }

  #removeRows(sweepId: string): void {
    commitCounted(this.#db, () => {
      for (const { name: table } of this.#db.prepare(SWEEP_TABLES).all() as { name: string }[])
        this.#db.prepare(`delete from ${table} where sweep_id = ?`).run(sweepId);
      this.#db.prepare('delete from sweeps where id = ?').run(sweepId);
      noteRemoval(this.#db, sweepId);
      this.#db.prepare('delete from environments where sha256 not in (select environment from programs)').run();
    });
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
 * Prunes sweeps that ended more than `retainMs` ago, immediately and then every hour. Unused code archives are pruned
 * only every hour, not at the start.
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
