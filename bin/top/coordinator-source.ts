import { estimateImportance } from '../../coordinator/analysis/importance-estimate.ts';
import { differencesFromFirst } from '../../coordinator/analysis/mean-differences.ts';
import type { ParameterImportance, RetrySelection, Source, SweepActionName } from '../../dashboard/source.ts';
import { currentAttempt } from '../../lib/domain/current-attempt.ts';
import { fromWire, parameterText, toWire } from '../../lib/domain/parameters.ts';
import { explainLines } from '../../lib/text/explain.ts';
import { type RetryTrialsRequest, SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Event, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { failureClass, trialState } from '../../proto/names.ts';
import type { ParameterValue } from '../../proto/trainers.ts';
import { readArtifact } from '../client/artifacts.ts';
import type { Connection } from '../client/connect.ts';
import { restartingStream, unary } from '../client/rpc.ts';
import { getSweep, killTrial, listConfigs, retryTrials, streamCurves, streamLog } from '../client/sweeps.ts';
import { watchSweep } from '../client/watch.ts';
import { ThinCurve } from './thin-curve.ts';

/** The maximum number of trials in one analysis of variance. A larger analysis would block the dashboard. */
const MAX_ANALYZED_TRIALS = 5_000;

function importanceFor(trials: readonly Trial[], metric: string, axes: readonly string[]): ParameterImportance {
  if (trials.length > MAX_ANALYZED_TRIALS) {
    const why = `importance is not computed here for more than ${MAX_ANALYZED_TRIALS} trials; use "trawl report"`;
    return { metric, why, estimated: false, effects: [], interactions: [] };
  }
  const judged = trials.map((trial) => ({
    id: trial.id,
    configId: trial.configId,
    seed: trial.seed,
    parameters: fromWire(trial.parameters),
    state: trialState.of(trial.state),
    stopReason: trial.stopReason,
    metrics: trial.metrics,
    curve: [],
  }));
  const { effects, ...rest } = estimateImportance(judged, metric, axes);
  return {
    ...rest,
    effects: effects.map(({ levels, ...effect }) => {
      const text = (value: ParameterValue) =>
        parameterText({ parameters: toWire({ [effect.parameter]: value }) }, effect.parameter);
      return { ...effect, levels: levels.map((level) => ({ ...level, value: text(level.value) })) };
    }),
  };
}

const REASON = 'from the dashboard';
/**
 * The sequence number of the first event of a store. A watch that starts after this event returns all events except
 * this one. A watch that starts at 0 would begin with a snapshot instead.
 */
export const FIRST_EVENT = 1;
const EARLIER_EVENTS = 5_000;
/** The grace period of a drain from the dashboard, the same as the default of `trawl drain --grace`. */
const DRAIN_GRACE_MS = 600_000;

const ACTIONS: Readonly<Record<SweepActionName, SweepAction>> = {
  pause: SweepAction.PAUSE,
  resume: SweepAction.RESUME,
  stop: SweepAction.STOP,
  kill: SweepAction.KILL,
};

function retryRequestOf(which: RetrySelection): Partial<RetryTrialsRequest> {
  if ('trials' in which) return { trials: [...which.trials] };
  const { failures, cancelled } = which;
  return failures === 'all'
    ? { failed: true, cancelled }
    : { failures: failures.map((name) => failureClass.to(name)), cancelled };
}

/**
 * Returns the dashboard's source for a coordinator.
 * @param patienceMs how long an outage can last before the watch fails, in milliseconds
 */
export function coordinatorSource(connection: Connection, patienceMs: number): Source {
  const { client } = connection;
  return {
    readonly: connection.offline !== undefined,
    find: async (sweep) => (await getSweep(connection, sweep)).sweep.id,
    watch: (sweepId, heard) => watchSweep(connection, sweepId, { patienceMs, ...heard }),
    async earlierEvents(sweep, until) {
      const events: Event[] = [];
      const request = { sweep, sinceEventSeq: Math.max(FIRST_EVENT, until - EARLIER_EVENTS) };
      const discard = () => {
        events.length = 0;
      };
      for await (const { update } of restartingStream(connection, client.watch, request, discard)) {
        if (update?.$case !== 'delta') break;
        events.push(...update.delta.events.filter(({ seq }) => seq <= until));
        if (update.delta.eventSeq >= until) break;
      }
      return events;
    },
    sweeps: async () => (await unary(connection, client.listSweeps, {})).sweeps,
    rungs: (sweep) => unary(connection, client.listRungs, { sweep }),
    best: (sweep, limit) => listConfigs(connection, { sweep, limit }),
    async curves(sweepId, trialIds) {
      const curves = new Map<string, ThinCurve>();
      for await (const { trialId, reports } of streamCurves(connection, sweepId, trialIds)) {
        const curve = curves.get(trialId) ?? new ThinCurve();
        curves.set(trialId, curve);
        for (const report of reports) curve.add(report);
      }
      return new Map([...curves].map(([trialId, { points }]) => [trialId, points]));
    },
    trial: (sweep, trial) => unary(connection, client.getTrial, { sweep, trial }),
    async *log(sweep, trial, signal) {
      // The attempt is chosen once, so that a reconnect does not switch to a newer attempt.
      const { attempts } = await unary(connection, client.getTrial, { sweep, trial });
      const attempt = currentAttempt(attempts)?.number ?? 0;
      yield* streamLog(connection, { sweep, trial, attempt, follow: true }, undefined, signal);
    },
    artifact: async (sweep, trial, attempt, name) =>
      (await readArtifact(connection, { sweep, trial, attempt, name })).bytes,
    async controlSweep(sweep, act) {
      const request = { sweep, action: ACTIONS[act], reason: REASON, priority: 0 };
      const answer = await unary(connection, client.controlSweep, request);
      if (answer.sweep === undefined) throw new Error('the coordinator answered without a sweep');
      return answer.sweep;
    },
    killTrial: (sweep, trial) => killTrial(connection, sweep, trial, REASON),
    retry: (sweep, which) => retryTrials(connection, { sweep, ...retryRequestOf(which) }),
    async prioritize(sweep, priority) {
      const request = { sweep, action: SweepAction.PRIORITIZE, reason: REASON, priority };
      const answer = await unary(connection, client.controlSweep, request);
      if (answer.sweep === undefined) throw new Error('the coordinator answered without a sweep');
      return answer.sweep;
    },
    explain: async (sweep, trial) =>
      explainLines(await unary(connection, client.explainTrial, { sweep, trial }), Date.now()),
    async drain(agent, on) {
      const { operations } = connection;
      const request = { agent, graceMs: DRAIN_GRACE_MS, reason: REASON };
      const answer = on
        ? await unary(connection, operations.drainAgent, request)
        : await unary(connection, operations.undrainAgent, { agent });
      if (answer.agent === undefined) throw new Error('the coordinator answered without an agent');
      return answer.agent;
    },
    differences: differencesFromFirst,
    importance: async (trials, metric, axes) => importanceFor(trials, metric, axes),
  };
}
