/** Determines the ranking metric of a sweep from its first reports, if the sweep file does not set the metric. */
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { firstRepeatedMetric, usualGoal } from '../../lib/domain/ranking.ts';
import type { ConfigResults } from './config-results.ts';
import type { Steps, WriteSql } from './write-sql.ts';

/**
 * Prepares the statements.
 * @returns a function that sets the metric of a sweep whose file does not set it. The function must be called before
 * each report is inserted.
 */
export function impliedMetricWriter(
  sql: WriteSql,
  configResults: ConfigResults,
): (key: AttemptKey, names: readonly string[]) => Steps {
  const known = new Set<string>();
  const selectMetric = sql.query<{ metric: string }>('select metric from sweeps where id = ?');
  const selectEarlier = sql.query<{ metrics: string }>(
    'select distinct metrics from reports where sweep_id = ? and trial_id = ?',
  );
  const selectParameters = sql.query<{ parameters: string }>(
    'select parameters from trials where sweep_id = ? and id = ?',
  );
  const update = sql.change("update sweeps set metric = ?, goal = ? where id = ? and metric = ''");
  const setEarlierValues = sql.change(sql.setValues('sweep_id = ? and dropped_in = 0'));
  return function* ({ sweepId, trialId }, names) {
    if (known.has(sweepId)) return;
    const [sweep] = yield* selectMetric(sweepId);
    if (sweep?.metric === '') {
      const reports = yield* selectEarlier(sweepId, trialId);
      const earlier = new Set(reports.flatMap(({ metrics }) => Object.keys(JSON.parse(metrics))));
      const [trial] = yield* selectParameters(sweepId, trialId);
      const chosen = firstRepeatedMetric(names, earlier, JSON.parse(trial?.parameters ?? '{}'));
      if (chosen === undefined) return;
      update(chosen, usualGoal(chosen), sweepId);
      setEarlierValues(sweepId);
      configResults.rebuild(sweepId);
    }
    known.add(sweepId);
  };
}
