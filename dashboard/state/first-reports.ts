import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { attemptIdOf } from './curve-cache.ts';

interface FirstReport {
  readonly attempt: string;
  readonly metrics: Readonly<Record<string, number>>;
}

/**
 * The report of epoch 1 of each trial, keyed by trial id. A trial has no entry if the dashboard did not receive this
 * report.
 */
export type FirstReports = ReadonlyMap<string, FirstReport>;

/**
 * Adds the reports of epoch 1 that are among the rows. If a row shows a new attempt of a trial, the report of the
 * earlier attempt is removed or replaced.
 */
export function withFirstReports(known: FirstReports, rows: readonly Trial[]): FirstReports {
  let next: Map<string, FirstReport> | undefined;
  for (const { id, epoch, attempts, startedAtMs, metrics } of rows) {
    const first = (next ?? known).get(id);
    const attempt = attemptIdOf({ attempts, startedAtMs });
    const stale = first !== undefined && first.attempt !== attempt;
    if (epoch !== 1 && !stale) continue;
    next ??= new Map(known);
    if (epoch === 1) next.set(id, { attempt, metrics });
    else next.delete(id);
  }
  return next ?? known;
}
