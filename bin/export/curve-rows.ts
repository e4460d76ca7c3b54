import type { Connection } from '../client/connect.ts';
import { streamCurves } from '../client/sweeps.ts';
import { reportJson, type TrialJson } from '../output/json.ts';

/** One row of `export --curves`: a trial's metrics at one epoch. A metric that is not finite is null. */
export interface CurveRow {
  readonly trial: string;
  readonly config: string;
  readonly seed: number;
  readonly parameters: TrialJson['parameters'];
  readonly epoch: number;
  /** The attempt that reported the metrics. */
  readonly attempt: number;
  readonly at: string | null;
  readonly metrics: TrialJson['metrics'];
}

/**
 * Yields the rows in the order of the trials in the sweep. The rows of a trial are in the order of their epochs. Skips
 * trials that are not in `trials`.
 */
export async function* curveRows(
  connection: Connection,
  sweep: string,
  trials: readonly TrialJson[],
): AsyncGenerator<CurveRow, void, void> {
  const byId = new Map(trials.map((trial) => [trial.trial, trial]));
  for await (const { trialId, reports } of streamCurves(connection, sweep)) {
    const trial = byId.get(trialId);
    if (trial === undefined) continue;
    const { config, seed, parameters } = trial;
    for (const report of reports) {
      const { epoch, attempt, at, metrics } = reportJson(report);
      yield { trial: trialId, config, seed, parameters, epoch, attempt, at, metrics };
    }
  }
}

/** Returns the names of all reported metrics, and whether all steps are whole numbers. */
export async function reportedMetrics(
  connection: Connection,
  sweep: string,
): Promise<{ names: ReadonlySet<string>; wholeSteps: boolean }> {
  const names = new Set<string>();
  let wholeSteps = true;
  for await (const { reports } of streamCurves(connection, sweep)) {
    for (const { epoch, metrics } of reports) {
      for (const name of Object.keys(metrics)) names.add(name);
      wholeSteps &&= Number.isSafeInteger(epoch);
    }
  }
  return { names, wholeSteps };
}
