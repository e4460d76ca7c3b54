import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { attemptIdOf } from './curve-cache.ts';

interface FirstReport {
  readonly attempt: string;
  readonly metrics: Readonly<Record<string, number>>;
}

/** The first report of each trial by trial id. Trials whose first epoch was not received have no entry. */
export type FirstReports = ReadonlyMap<string, FirstReport>;

/** Adds the first reports among the rows, and removes the first report of each trial that has a new attempt. */
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
