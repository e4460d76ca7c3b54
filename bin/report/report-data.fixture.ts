/** Builds the data of a report: the trials that a sweep file defines, with invented results. */

import { enumerateTrials } from '../../coordinator/grid/enumerate.ts';
import type { PlannedTrial } from '../../coordinator/search/trial-source.ts';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { configsOf, rankConfigs } from '../../lib/domain/configs.ts';
import { toWire } from '../../lib/domain/parameters.ts';
import { noCounts } from '../../lib/domain/trial-state.ts';
import { type Report, Sweep, Trial } from '../../proto/gen/trawl/v1/types.ts';
import {
  type FailureClassName,
  failureClass,
  goal,
  sweepState,
  type TrialStateName,
  trialState,
} from '../../proto/names.ts';
import type { ReportData } from './data.ts';
import { type HypothesisFile, reportDataOf } from './data.ts';

/** The invented result of a trial. */
export interface Outcome {
  /** The state of the trial. Default: `succeeded`. */
  readonly state?: TrialStateName;
  /** The values of each metric after epochs 1, 2, 3, ... All lists have the same length. */
  readonly curves?: Readonly<Record<string, readonly number[]>>;
  readonly failure?: { readonly class: FailureClassName; readonly message: string };
  /** The reason for the stop, if the state is `stopped`. Default: empty. */
  readonly stopReason?: string;
  readonly attempts?: number;
  /** The agent of the trial. Default: `agent-1`. */
  readonly agent?: string;
}

/** Returns the data of a report. @param text a sweep file */
export function reportData(
  text: string,
  outcome: (trial: PlannedTrial) => Outcome,
  asked?: HypothesisFile,
): ReportData {
  const spec = parseSweep(text, 'sweep.yaml');
  const curves = new Map<string, Report[]>();
  const trials = [...enumerateTrials(spec)].map((planned) => {
    const became = outcome(planned);
    const reports = reportsOf(became.curves ?? {});
    if (reports.length > 0) curves.set(planned.trialId, reports);
    return trialOf(planned, became, reports);
  });
  const configs = rankConfigs(configsOf(trials), spec.metric.name, spec.metric.goal);
  const counts = noCounts();
  for (const { state } of trials) counts[trialState.of(state)] += 1;
  const ended = counts.pending + counts.offered + counts.running === 0;
  const sweep = Sweep.fromPartial({
    id: '1',
    name: spec.name,
    state: sweepState.to(ended ? 'finished' : 'running'),
    metric: { name: spec.metric.name, goal: goal.to(spec.metric.goal) },
    counts,
    createdAtMs: Date.UTC(2025, 0, 2, 3, 4, 5),
    endedAtMs: ended ? Date.UTC(2025, 0, 2, 3, 5, 5) : 0,
    fingerprint: 'f'.repeat(64),
  });
  return reportDataOf(
    {
      sweep,
      text,
      configs,
      trials,
      curves,
      agents: [],
      facts: { source: undefined, environments: [] },
      program: undefined,
      location: {},
    },
    asked,
  );
}

function trialOf({ trialId: id, configId, index, seed, parameters }: PlannedTrial, became: Outcome, reports: Report[]) {
  const { state = 'succeeded', failure, stopReason = '', attempts = 1, agent = 'agent-1' } = became;
  const last = reports.at(-1);
  return Trial.fromPartial({
    id,
    configId,
    index,
    seed,
    parameters: toWire(parameters),
    state: trialState.to(state),
    attempts,
    agentId: agent,
    backend: 'wasm',
    epoch: last?.epoch ?? 0,
    metrics: last?.metrics ?? {},
    stopReason,
    failure: failure && { class: failureClass.to(failure.class), message: failure.message },
  });
}

function reportsOf(curves: Readonly<Record<string, readonly number[]>>): Report[] {
  const epochs = Math.max(0, ...Object.values(curves).map(({ length }) => length));
  return Array.from({ length: epochs }, (_, i) => ({
    attempt: 1,
    epoch: i + 1,
    atMs: 0,
    metrics: Object.fromEntries(
      Object.entries(curves).flatMap(([name, values]) => {
        const value = values[i];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
  }));
}
