/** Finds ended sweeps, and removes their rows. */
import type { SweepStateName } from '../../proto/names.ts';
import { writeRemoval } from './artifact-location.ts';
import type { Reader } from './reader.ts';
import type { WriteSql } from './write-sql.ts';

export interface EndedSweep {
  readonly id: string;
  readonly name: string;
  readonly state: SweepStateName;
  readonly endedAtMs: number;
  readonly trials: number;
  readonly artifacts: number;
  /** The total size of the sweep's artifacts, in bytes. */
  readonly bytes: number;
}

export interface EndedSweepChoice {
  /** Selects only sweeps that ended at or before this time, in Unix milliseconds. */
  readonly endedBefore: number;
  /** The newest ended sweeps, up to this number, are not selected, regardless of their age. */
  readonly keep: number;
}

/** Returns ended sweeps, oldest first. The newest sweep is never selected, so that its id is not reused. */
export function endedSweeps(reader: Reader, { endedBefore, keep }: EndedSweepChoice): Promise<EndedSweep[]> {
  return reader.all(
    `with ended as (
       select id, name, state, ended_at, row_number() over (order by ended_at desc, id desc) as place from sweeps
       where state in ('finished', 'stopped', 'killed'))
     select cast(id as text) as id, name, state, ended_at as "endedAtMs",
       (select count(*) from trials where sweep_id = ended.id) as trials,
       (select count(*) from artifacts where sweep_id = ended.id) as artifacts,
       (select coalesce(sum(size), 0) from artifacts where sweep_id = ended.id) as bytes
     from ended
     where place > ? and ended_at <= ? and id < (select max(id) from sweeps) order by ended_at, ended.id`,
    keep,
    endedBefore,
  );
}

/**
 * The tables that contain rows of a sweep. The table of trials comes first, because a trigger changes rows of other
 * tables in this list when trials are removed.
 */
export const SWEEP_TABLES = [
  'trials',
  'agent_successes',
  'artifacts',
  'attempts',
  'config_results',
  'dropped_counts',
  'events',
  'identical_configs',
  'logs',
  'notices',
  'programs',
  'reports',
  'retries',
  'rungs',
  'sources',
  'suggestions',
  'sweep_versions',
  'trial_counts',
  'warm_starts',
  'warnings',
] as const;

/** Removes the rows of an ended sweep, and records that its artifacts have not been removed yet. */
export function removeSweepRows(sql: WriteSql, sweepId: string): void {
  for (const table of SWEEP_TABLES) sql.change(`delete from ${table} where sweep_id = ?`)(sweepId);
  sql.change('delete from sweeps where id = ?')(sweepId);
  writeRemoval(sql, sweepId);
  sql.change('delete from environments where sha256 not in (select environment from programs)')();
}
