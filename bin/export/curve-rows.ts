import type { Connection } from '../client/connect.ts';
import { streamCurves } from '../client/sweeps.ts';
import { reportJson, type TrialJson } from '../output/json.ts';

/** A trial's metrics at an epoch, as `export --curves` writes it. A metric that is not a finite number is null. */
export interface CurvePoint {
  readonly trial: string;
  readonly config: string;
  readonly seed: number;
  readonly parameters: TrialJson['parameters'];
  readonly epoch: number;
  /** The attempt that reported it. */
  readonly attempt: number;
  readonly at: string | null;
  readonly metrics: TrialJson['metrics'];
}

/** In the sweep's order, then by epoch; trials that are not in `trials` (added since) are left out. */
export async function* curvePoints(
  connection: Connection,
  sweep: string,
  trials: readonly TrialJson[],
): AsyncGenerator<CurvePoint, void, void> {
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

/** Every metric that any epoch of any trial has; some are reported at some epochs only. */
export async function reportedMetrics(connection: Connection, sweep: string): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  for await (const { reports } of streamCurves(connection, sweep)) {
    for (const { metrics } of reports) for (const name of Object.keys(metrics)) names.add(name);
  }
  return names;
}
