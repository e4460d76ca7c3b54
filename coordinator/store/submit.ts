/** Adds a sweep and its first trials in one transaction. */
import type { Source } from '../../proto/gen/trawl/v1/types.ts';
import type { SweepPolicy } from '../core/policy.ts';
import type { SearchResult } from '../search/searcher.ts';
import type { PlannedTrial, SourceState } from '../search/trial-source.ts';
import type { Steps, WriteSql } from './write-sql.ts';

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

const SWEEP_COLUMNS = [
  'request_id',
  'name',
  'fingerprint',
  'file_name',
  'text',
  'trainer',
  'metric',
  'goal',
  'axes',
  'policy',
  'configs',
  'replicates',
  'excluded',
  'priority',
  'created_at',
  'planned',
  'searching',
  'search',
  'submitted_by',
];

/**
 * Adds a sweep with its first trials. `by` is the user who submits the sweep; empty if unknown.
 * @returns the id of the sweep; a repeated request returns the id of the sweep that the first request added
 */
export function* sweepSteps(
  sql: WriteSql,
  sweep: NewSweep,
  trials: readonly PlannedTrial[],
  at: number,
  by: string,
): Steps<string> {
  const [existing] = yield* sql.query<{ id: number }>('select id from sweeps where request_id = ?')(sweep.requestId);
  if (existing !== undefined) return `${existing.id}`;
  const planned = sweep.search?.planned ?? trials.length;
  // Ids of removed sweeps are not used again, because the newest sweep is never removed.
  const add = sql.query<{ id: number }>(
    `insert into sweeps (id, state, reason, ${SWEEP_COLUMNS.join(', ')})
     values ((select coalesce(max(id), 0) + 1 from sweeps), 'running', '', ${SWEEP_COLUMNS.map(() => '?').join(', ')})
     returning id`,
  );
  const [row] = yield* add(
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
  if (row === undefined) throw new Error('the database returned no id for the new sweep');
  const { id } = row;
  const insert = sql.insert('trials', ['sweep_id', 'id', 'idx', 'config_id', 'seed', 'parameters']);
  if (sweep.source !== undefined) insertSource(sql, id, sweep.source);
  for (const trial of trials) {
    insert(id, trial.trialId, trial.index, trial.configId, trial.seed, JSON.stringify(trial.parameters));
  }
  const addEvent = sql.insertEvent(['at', 'sweep_id', 'trial_id', 'attempt', 'kind', 'by', 'detail']);
  const detail = Number.isFinite(planned) ? `${planned} trials` : 'no limit on the number of trials';
  addEvent(at, id, '', 0, 'submitted', by, detail);
  if (sweep.warmStart !== undefined) insertWarmStart(sql, id, sweep.warmStart);
  const warning = sweep.warmStart?.warning;
  if (warning !== undefined) {
    const { message, count } = warning;
    sql.insert('warnings', ['sweep_id', 'kind', 'message', 'count', 'since'])(id, 'warm_start', message, count, at);
    addEvent(at, id, '', 0, 'warning', '', `warm_start: ${message}`);
  }
  return `${id}`;
}

function insertWarmStart(sql: WriteSql, id: number, { results }: NewWarmStart): void {
  const insert = sql.insert('warm_starts', ['sweep_id', 'place', 'parameters', 'value']);
  for (const [place, { parameters, value }] of results.entries()) {
    insert(id, place, JSON.stringify(parameters), value ?? null);
  }
}

function insertSource(sql: WriteSql, sweepId: number, { archive, files, git, diff }: Source): void {
  const insert = sql.insert('sources', ['sweep_id', 'sha256', 'size', 'files', 'git', 'diff']);
  insert(sweepId, archive?.sha256 ?? '', archive?.size ?? 0, files, JSON.stringify(git ?? null), diff);
}
