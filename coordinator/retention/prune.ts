/**
 * Removes ended sweeps. The rows of a sweep are removed in one transaction, and then its files. If the process dies in
 * between, the next start of the coordinator removes the files (artifacts/files.ts).
 */
import type { Database } from 'libsql';
import type { Logger } from 'pino';
import type { SweepStateName } from '../../proto/names.ts';
import type { ArtifactFiles } from '../artifacts/files.ts';

export interface PruneOptions {
  /** Removes only sweeps that ended at least this long ago, in milliseconds. */
  readonly olderThanMs: number;
  /** The number of newest ended sweeps to keep, whatever their age. */
  readonly keep: number;
  /** Returns the sweeps without removing them. */
  readonly dryRun: boolean;
}

export interface PrunedSweep {
  readonly id: string;
  readonly name: string;
  readonly state: SweepStateName;
  readonly endedAtMs: number;
  readonly trials: number;
  readonly artifacts: number;
  /** Total size of its artifacts. */
  readonly bytes: number;
}

const SWEEP_TABLES = [
  'trials',
  'attempts',
  'reports',
  'logs',
  'artifacts',
  'events',
  'retries',
  'notices',
  'warnings',
] as const;

export class Pruner {
  readonly #db: Database;
  readonly #files: Pick<ArtifactFiles, 'removeSweep'>;

  readonly #isLive: (sweepId: string) => boolean;

  /** @param isLive returns whether a sweep runs again because a user retried its trials */
  constructor(
    db: Database,
    files: Pick<ArtifactFiles, 'removeSweep'>,
    isLive: (sweepId: string) => boolean = () => false,
  ) {
    this.#db = db;
    this.#files = files;
    this.#isLive = isLive;
  }

  /** Removes one sweep at a time, and serves other calls in between. @returns the removed sweeps, oldest first */
  async prune(options: PruneOptions, now: number): Promise<PrunedSweep[]> {
    const chosen = this.#choose(options, now);
    if (options.dryRun) return chosen;
    const pruned: PrunedSweep[] = [];
    for (const sweep of chosen) {
      if (this.#isLive(sweep.id)) continue;
      this.#removeRows(sweep.id);
      await this.#files.removeSweep(sweep.id);
      pruned.push(sweep);
    }
    return pruned;
  }

  /** Selects the sweeps to remove, oldest first. Never selects the newest sweep, so that its id is not reused. */
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
    this.#db
      .transaction(() => {
        for (const table of SWEEP_TABLES) this.#db.prepare(`delete from ${table} where sweep_id = ?`).run(sweepId);
        this.#db.prepare('delete from sweeps where id = ?').run(sweepId);
      })
      .immediate();
  }
}

const RETENTION_INTERVAL_MS = 3_600_000;

/** Prunes sweeps that ended more than `retainMs` ago, now and every hour. @returns a function that stops it */
export function startRetention(pruner: Pruner, retainMs: number, now: () => number, log: Logger): () => void {
  const prune = () => {
    pruner.prune({ olderThanMs: retainMs, keep: 0, dryRun: false }, now()).then(
      (pruned) => {
        for (const { id, name, trials, bytes } of pruned) {
          log.info({ sweepId: id, name, trials, bytes }, 'pruned a sweep');
        }
      },
      (error) => log.error({ err: error }, 'could not prune old sweeps'),
    );
  };
  prune();
  const timer = setInterval(prune, RETENTION_INTERVAL_MS);
  return () => clearInterval(timer);
}
