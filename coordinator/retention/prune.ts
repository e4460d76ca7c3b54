/**
 * Sweeps that are over go, with everything of them: first their rows, a sweep in one transaction, then their files. Who
 * dies in between leaves files that no row names: the coordinator's next start removes those (artifacts/files.ts).
 */
import type { Database } from 'libsql';
import type { Logger } from 'pino';
import type { SweepStateName } from '../../proto/names.ts';
import type { ArtifactFiles } from '../artifacts/files.ts';

export interface PruneOptions {
  /** Only what has been over for so long. */
  readonly olderThanMs: number;
  /** Sweeps that are over and stay whatever their age: the newest so many. */
  readonly keep: number;
  /** Only says what would go. */
  readonly dryRun: boolean;
}

export interface PrunedSweep {
  readonly id: string;
  readonly name: string;
  readonly state: SweepStateName;
  readonly endedAtMs: number;
  readonly trials: number;
  readonly artifacts: number;
  /** Of its artifacts. */
  readonly bytes: number;
}

/** Tables with a `sweep_id`. */
const OF_SWEEPS = ['trials', 'attempts', 'reports', 'logs', 'artifacts', 'events', 'retries'] as const;

export class Pruner {
  readonly #db: Database;
  readonly #files: Pick<ArtifactFiles, 'removeSweep'>;

  readonly #isLive: (sweepId: string) => boolean;

  /** @param isLive whether a sweep runs again that was over when it was chosen: its trials are retried */
  constructor(
    db: Database,
    files: Pick<ArtifactFiles, 'removeSweep'>,
    isLive: (sweepId: string) => boolean = () => false,
  ) {
    this.#db = db;
    this.#files = files;
    this.#isLive = isLive;
  }

  /** @returns what went, the oldest first; others are served between one sweep and the next */
  async prune(options: PruneOptions, now: number): Promise<PrunedSweep[]> {
    const chosen = this.#choose(options, now);
    if (options.dryRun) return chosen;
    const gone: PrunedSweep[] = [];
    for (const sweep of chosen) {
      if (this.#isLive(sweep.id)) continue;
      this.#removeRows(sweep.id);
      await this.#files.removeSweep(sweep.id);
      gone.push(sweep);
    }
    return gone;
  }

  /** The newest sweep of all stays: its number must not be given to another. */
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
        for (const table of OF_SWEEPS) this.#db.prepare(`delete from ${table} where sweep_id = ?`).run(sweepId);
        this.#db.prepare('delete from sweeps where id = ?').run(sweepId);
      })
      .immediate();
  }
}

const LOOK_EVERY_MS = 3_600_000;

/** Looks at once, and every hour, until the returned function is called. */
export function startRetaining(pruner: Pruner, retainMs: number, now: () => number, log: Logger): () => void {
  const look = () => {
    pruner.prune({ olderThanMs: retainMs, keep: 0, dryRun: false }, now()).then(
      (gone) => {
        for (const { id, name, trials, bytes } of gone) {
          log.info({ sweepId: id, name, trials, bytes }, 'a sweep was pruned');
        }
      },
      (error) => log.error({ err: error }, 'old sweeps could not be pruned'),
    );
  };
  look();
  const looking = setInterval(look, LOOK_EVERY_MS);
  return () => clearInterval(looking);
}
