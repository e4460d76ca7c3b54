/** Reads the results of earlier sweeps, and the results with which a search starts. */
import { mean } from 'd3-array';
import { countedResults, finiteMetric, hasResult } from '../../lib/domain/trial-result.ts';
import type { TrialStateName } from '../../proto/names.ts';
import { parseParameters } from '../../proto/values.ts';
import type { SearchResult } from '../search/searcher.ts';
import type { EarlierConfig } from '../search/warm-start.ts';
import { pagedRows, type Reader, ROWS_PER_PAGE } from './reader.ts';

/** The maximum number of ended trials that are read per earlier sweep. If a sweep has more, the newest are read. */
const MAX_READ_TRIALS = 100_000;

interface TrialRow {
  readonly config_id: string;
  readonly state: TrialStateName;
  readonly parameters: string;
  readonly metrics: string;
  readonly epoch: number;
  readonly stopReason: string;
  readonly ended_at: number;
  readonly idx: number;
}

type EarlierResult = Pick<TrialRow, 'state' | 'epoch' | 'stopReason'> & { readonly value: number | undefined };

/**
 * Returns the configs of a sweep that have a succeeded, stopped or failed trial. The configs are sorted by the time
 * when their newest such trial ended, oldest first.
 */
export async function earlierConfigs(reader: Reader, sweepId: string, metric: string): Promise<EarlierConfig[]> {
  const configs = new Map<string, { readonly parameters: string; readonly results: EarlierResult[] }>();
  for await (const { config_id: id, state, parameters, metrics, epoch, stopReason } of newestEnded(reader, sweepId)) {
    const config = configs.get(id) ?? { parameters, results: [] };
    configs.set(id, config);
    if (!hasResult(state)) continue;
    config.results.push({ state, epoch, stopReason, value: finiteMetric(JSON.parse(metrics), metric) });
  }
  return [...configs.values()].reverse().map(({ parameters, results }) => {
    const value = mean(countedResults(results), (result) => result.value);
    return { parameters: parseParameters(parameters), value, lacksMetric: results.length > 0 && value === undefined };
  });
}

/** Yields the succeeded, stopped and failed trials of a sweep in pages, newest first. */
async function* newestEnded(reader: Reader, sweepId: string): AsyncGenerator<TrialRow, void, void> {
  let last = { ended_at: Number.MAX_SAFE_INTEGER, idx: 0 };
  for (let left = MAX_READ_TRIALS; left > 0; left -= ROWS_PER_PAGE) {
    const rows: TrialRow[] = await reader.all(
      `select config_id, state, parameters, metrics, epoch, stop_reason as "stopReason", ended_at, idx from trials
       where sweep_id = ? and state in ('succeeded', 'stopped', 'failed') and (ended_at, idx) < (?, ?)
       order by ended_at desc, idx desc limit ?`,
      sweepId,
      last.ended_at,
      last.idx,
      Math.min(left, ROWS_PER_PAGE),
    );
    yield* rows;
    last = rows.at(-1) ?? last;
    if (rows.length < ROWS_PER_PAGE) return;
  }
}

/** Returns the results with which the search of a sweep starts. */
export async function storedWarmStart(reader: Reader, sweepId: string): Promise<SearchResult[]> {
  const page = (last: number) =>
    reader.all<{ readonly at: number; readonly parameters: string; readonly value: number | null }>(
      `select place as at, parameters, value from warm_starts
       where sweep_id = ? and place > ? order by place limit ${ROWS_PER_PAGE}`,
      sweepId,
      last,
    );
  const results: SearchResult[] = [];
  for await (const { parameters, value } of pagedRows(page)) {
    results.push({ parameters: parseParameters(parameters), value: value ?? undefined });
  }
  return results;
}
