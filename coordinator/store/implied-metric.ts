/** Determines the ranking metric of a sweep from its first reports, if the sweep file names none. */
import type { Database } from 'libsql';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { firstRepeatedMetric, usualGoal } from '../../lib/domain/ranking.ts';
import { setValues } from './derived-tables.ts';

/**
 * Prepares the statements.
 * @returns a function that sets the metric of a sweep whose file names none. The function must be called before each
 * report is inserted.
 */
export function impliedMetricWriter(db: Database): (key: AttemptKey, names: readonly string[]) => void {
  const known = new Set<string>();
  const selectMetric = db.prepare('select metric from sweeps where id = ?');
  const selectEarlier = db.prepare(
    'select distinct names.key as name from reports, json_each(reports.metrics) as names where sweep_id = ? and trial_id = ?',
  );
  const selectParameters = db.prepare('select parameters from trials where sweep_id = ? and id = ?');
  const update = db.prepare("update sweeps set metric = ?, goal = ? where id = ? and metric = ''");
  const setEarlierValues = db.prepare(setValues('sweep_id = ? and dropped_in = 0'));
  return ({ sweepId, trialId }, names) => {
    if (known.has(sweepId)) return;
    const { metric } = selectMetric.get(sweepId) as { metric: string };
    if (metric === '') {
      const earlier = selectEarlier.all(sweepId, trialId) as { name: string }[];
      const { parameters } = selectParameters.get(sweepId, trialId) as { parameters: string };
      const chosen = firstRepeatedMetric(names, new Set(earlier.map(({ name }) => name)), JSON.parse(parameters));
      if (chosen === undefined) return;
      update.run(chosen, usualGoal(chosen), sweepId);
      setEarlierValues.run(sweepId);
    }
    known.add(sweepId);
  };
}
