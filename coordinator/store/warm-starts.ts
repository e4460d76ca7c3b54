/** Reads the results of earlier sweeps, and keeps the results with which a search starts. */
import { mean } from 'd3-array';
import type { Database } from 'libsql';
import { finiteMetric, hasResult } from '../../lib/domain/trial-result.ts';
import type { TrialStateName } from '../../proto/names.ts';
import { parseParameters } from '../../proto/values.ts';
import type { SearchResult } from '../search/searcher.ts';
import type { EarlierConfig } from '../search/warm-start.ts';

/** The maximum number of ended trials to read per earlier sweep. The newest trials are read. */
const MAX_READ_TRIALS = 100_000;

interface TrialRow {
  readonly config_id: string;
  readonly state: TrialStateName;
  readonly parameters: string;
  readonly metrics: string;
}

/**
 * Returns those configs of a sweep that have an ended trial, ordered by the end of their newest ended trial, oldest
 * first.
 */
export function earlierConfigs(db: Database, sweepId: string, metric: string): EarlierConfig[] {
  const rows = db
    .prepare(
      `select config_id, state, parameters, metrics from trials
       where sweep_id = ? and state in ('succeeded', 'stopped', 'failed') order by ended_at desc, idx desc limit ?`,
    )
    .iterate(sweepId, MAX_READ_TRIALS) as IterableIterator<TrialRow>;
  const configs = new Map<string, { readonly parameters: string; readonly values: number[]; hasResult: boolean }>();
  for (const { config_id: id, state, parameters, metrics } of rows) {
    const config = configs.get(id) ?? { parameters, values: [], hasResult: false };
    configs.set(id, config);
    if (!hasResult(state)) continue;
    config.hasResult = true;
    const value = finiteMetric(JSON.parse(metrics), metric);
    if (value !== undefined) config.values.push(value);
  }
  return [...configs.values()].reverse().map(({ parameters, values, hasResult: ended }) => ({
    parameters: parseParameters(parameters),
    value: mean(values),
    lacksMetric: ended && values.length === 0,
  }));
}

/** Adds the results with which the search of a new sweep starts. Must run in the transaction that adds the sweep. */
export function insertWarmStart(db: Database, sweepId: number, results: readonly SearchResult[]): void {
  const insert = db.prepare('insert into warm_starts (sweep_id, place, parameters, value) values (?, ?, ?, ?)');
  for (const [place, { parameters, value }] of results.entries()) {
    insert.run(sweepId, place, JSON.stringify(parameters), value ?? null);
  }
}

/** Returns the results with which the search of a sweep starts. */
export function storedWarmStart(db: Database, sweepId: string): SearchResult[] {
  const rows = db.prepare('select parameters, value from warm_starts where sweep_id = ? order by place').all(sweepId);
  return (rows as { readonly parameters: string; readonly value: number | null }[]).map(({ parameters, value }) => ({
    parameters: parseParameters(parameters),
    value: value ?? undefined,
  }));
}
