/** Reads the trials of a sweep in the form that the analysis of hypotheses needs. */
import type { Report } from '../../proto/gen/trawl/v1/types.ts';
import type { TrialStateName } from '../../proto/names.ts';
import { parseParameters } from '../../proto/values.ts';
import type { JudgedTrial } from '../analysis/judgment.ts';
import type { Queries } from './queries.ts';
import type { Reader } from './reader.ts';
import { trialCurve } from './report-stream.ts';

interface TrialRow {
  readonly id: string;
  readonly configId: string;
  readonly seed: number;
  readonly state: TrialStateName;
  readonly stopReason: string;
  readonly parameters: string;
  readonly metrics: string;
}

/**
 * Returns the trials whose points the current version of a sweep contains, in the sweep's order. Undefined while fewer
 * than `created` trials are stored, or while a stored trial has not ended.
 * @param created the number of trials that the sweep has created
 * @param withCurves whether the curves are read; without them, each curve is empty
 */
export async function endedTrials(
  reader: Reader,
  queries: Queries,
  sweepId: string,
  created: number,
  withCurves: boolean,
): Promise<JudgedTrial[] | undefined> {
  const counts = await reader.get<{ readonly stored: number; readonly ended: number }>(
    `select coalesce(sum(n), 0) as stored,
         coalesce(sum(n) filter (where state in ('succeeded', 'stopped', 'failed', 'cancelled')), 0) as ended
       from trial_counts where sweep_id = ?`,
    sweepId,
  );
  if (counts === undefined || counts.stored < created || counts.ended < counts.stored) return undefined;
  const rows = await reader.all<TrialRow>(
    `select id, config_id as "configId", seed, state, stop_reason as "stopReason", parameters, metrics from trials
       where sweep_id = ? and dropped_in = 0 order by idx`,
    sweepId,
  );
  const trials: JudgedTrial[] = [];
  for (const { parameters, metrics, ...row } of rows) {
    const curve: Report[] = [];
    if (withCurves) for await (const report of trialCurve(queries, sweepId, row.id)) curve.push(report);
    trials.push({ ...row, parameters: parseParameters(parameters), metrics: JSON.parse(metrics), curve });
  }
  return trials;
}
