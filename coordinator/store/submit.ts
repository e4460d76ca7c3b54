/** Adds a sweep and its first trials in one transaction. */
import type { Database } from 'libsql';
import type { Source } from '../../proto/gen/trawl/v1/types.ts';
import type { SweepPolicy } from '../core/policy.ts';
import type { SearchResult } from '../search/searcher.ts';
import type { PlannedTrial, SourceState } from '../search/trial-source.ts';
import { commitCounted } from './high-water.ts';
import { insertWarmStart } from './warm-starts.ts';

export interface NewSweep {
  readonly requestId: string;
  readonly name: string;
  readonly fingerprint: string;
  readonly fileName: string;
  readonly text: string;
  readonly trainer: string;
  readonly metric: string;
  readonly goal: string;
  /** The names of the parameters that vary within the sweep. */
  readonly axes: readonly string[];
  readonly policy: SweepPolicy;
  readonly priority: number;
  readonly configs: number;
  readonly replicates: number;
  /** The number of grid points that `exclude` dropped. */
  readonly excluded: number;
  /** Undefined if the sweep has no code of its own. */
  readonly source?: Source | undefined;
  /** The source of the sweep's further trials. Undefined if the sweep has only its first trials. */
  readonly search?: NewSearch | undefined;
  /** The results with which the search starts. Undefined if the sweep names no earlier sweep. */
  readonly warmStart?: NewWarmStart | undefined;
}

interface NewWarmStart {
  readonly results: readonly SearchResult[];
  /** Undefined if all results of the earlier sweeps are used. */
  readonly warning: { readonly message: string; readonly count: number } | undefined;
}

interface NewSearch {
  /** The total number of trials. Infinite if the search has no limit. */
  readonly planned: number;
  /** The state of the trial source after the first trials. */
  readonly state: SourceState;
  /** Whether the source has no further trials. */
  readonly done: boolean;
}

/**
 * Adds a sweep with its first trials.
 * @param by the user who submits the sweep; default: unknown
 * @returns the id of the sweep; a repeated request returns the id of the sweep that the first request added
 */
export function insertSweep(
  db: Database,
  sweep: NewSweep,
  trials: readonly PlannedTrial[],
  at: number,
  by = '',
): string {
  const existing = db.prepare('select id from sweeps where request_id = ?').get(sweep.requestId) as
    | { id: number }
    | undefined;
  if (existing !== undefined) return `${existing.id}`;
  const planned = sweep.search?.planned ?? trials.length;
  return commitCounted(db, () => {
    const { lastInsertRowid } = db
      .prepare(
        `insert into sweeps (request_id, name, fingerprint, file_name, text, trainer, metric, goal, axes, policy,
             configs, replicates, excluded, priority, state, reason, created_at, planned, searching, search,
             submitted_by)
           values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', '', ?, ?, ?, ?, ?)`,
      )
      .run(
        sweep.requestId,
        sweep.name,
        sweep.fingerprint,
        sweep.fileName,
        sweep.text,
        sweep.trainer,
        sweep.metric,
        sweep.goal,
        JSON.stringify(sweep.axes),
        JSON.stringify(sweep.policy),
        sweep.configs,
        sweep.replicates,
        sweep.excluded,
        sweep.priority,
        at,
        Number.isFinite(planned) ? planned : null,
        sweep.search === undefined || sweep.search.done ? 0 : 1,
        sweep.search === undefined ? null : JSON.stringify(sweep.search.state),
        by,
      );
    const id = Number(lastInsertRowid);
    const insert = db.prepare(
      'insert into trials (sweep_id, id, idx, config_id, seed, parameters) values (?, ?, ?, ?, ?, ?)',
    );
    if (sweep.source !== undefined) insertSource(db, id, sweep.source);
    for (const trial of trials) {
      insert.run(id, trial.trialId, trial.index, trial.configId, trial.seed, JSON.stringify(trial.parameters));
    }
    db.prepare(
      "insert into events (at, sweep_id, trial_id, attempt, kind, by, detail) values (?, ?, '', 0, 'submitted', ?, ?)",
    ).run(at, id, by, Number.isFinite(planned) ? `${planned} trials` : 'no limit on the number of trials');
    if (sweep.warmStart !== undefined) addWarmStart(db, id, sweep.warmStart, at);
    return `${id}`;
  });
}

function addWarmStart(db: Database, id: number, { results, warning }: NewWarmStart, at: number): void {
  insertWarmStart(db, id, results);
  if (warning === undefined) return;
  db.prepare("insert into warnings (sweep_id, kind, message, count, since) values (?, 'warm_start', ?, ?, ?)").run(
    id,
    warning.message,
    warning.count,
    at,
  );
  db.prepare(
    "insert into events (at, sweep_id, trial_id, attempt, kind, detail) values (?, ?, '', 0, 'warning', ?)",
  ).run(at, id, `warm_start: ${warning.message}`);
}

function insertSource(db: Database, sweepId: number, { archive, files, git, diff }: Source): void {
  db.prepare('insert into sources (sweep_id, sha256, size, files, git, diff) values (?, ?, ?, ?, ?, ?)').run(
    sweepId,
    archive?.sha256 ?? '',
    archive?.size ?? 0,
    files,
    JSON.stringify(git ?? null),
    diff,
  );
}
