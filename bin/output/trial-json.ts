import { fromWire } from '../../lib/domain/wire-parameters.ts';
import type { Attempt, Failure, Report, Trial } from '../../proto/gen/trawl/v1/types.ts';
import {
  type AttemptOutcomeName,
  attemptOutcome,
  type FailureClassName,
  failureClass,
  type TrialStateName,
  trialState,
} from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { isoTime, secondsBetween } from './time-text.ts';

export interface FailureJson {
  readonly class: FailureClassName;
  readonly message: string;
}

/** A trial as every verb prints it with `-o json`. A metric that is not a finite number is null. */
export interface TrialJson {
  readonly trial: string;
  readonly config: string;
  readonly sweep: string;
  /** Position in the sweep's enumeration, from 0. */
  readonly index: number;
  readonly state: TrialStateName;
  /** Place by the asked metric, from 1; null without a value of it. */
  readonly rank: number | null;
  readonly parameters: Parameters;
  readonly seed: number;
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number | null>>;
  readonly attempts: number;
  readonly agent: string | null;
  readonly backend: string | null;
  readonly failure: FailureJson | null;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  /** From the start of the latest attempt to its end; null until then. */
  readonly seconds: number | null;
}

export function metricsJson(metrics: Readonly<Record<string, number>>): Record<string, number | null> {
  return Object.fromEntries(
    Object.entries(metrics)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [name, Number.isFinite(value) ? value : null]),
  );
}

function failureJson(failure: Failure | undefined): FailureJson | null {
  return failure === undefined ? null : { class: failureClass.of(failure.class), message: failure.message };
}

export function trialJson(trial: Trial): TrialJson {
  return {
    trial: trial.id,
    config: trial.configId,
    sweep: trial.sweepId,
    index: trial.index,
    state: trialState.of(trial.state),
    rank: trial.rank === 0 ? null : trial.rank,
    parameters: fromWire(trial.parameters),
    seed: trial.seed,
    epoch: trial.epoch,
    metrics: metricsJson(trial.metrics),
    attempts: trial.attempts,
    agent: trial.agentId || null,
    backend: trial.backend || null,
    failure: failureJson(trial.failure),
    started_at: isoTime(trial.startedAtMs),
    ended_at: isoTime(trial.endedAtMs),
    seconds: secondsBetween(trial.startedAtMs, trial.endedAtMs),
  };
}

/** How an attempt ended; `running` until it has. */
export function outcomeName(attempt: Attempt): AttemptOutcomeName | 'running' {
  return attempt.endedAtMs === 0 ? 'running' : attemptOutcome.of(attempt.outcome);
}

export function attemptJson(attempt: Attempt) {
  return {
    number: attempt.number,
    agent: attempt.agentId,
    slot: attempt.slot,
    backend: attempt.backend || null,
    resumed_from: attempt.resumedFrom,
    outcome: outcomeName(attempt),
    failure: failureJson(attempt.failure),
    granted_at: isoTime(attempt.grantedAtMs),
    ended_at: isoTime(attempt.endedAtMs),
    seconds: secondsBetween(attempt.grantedAtMs, attempt.endedAtMs),
  };
}

export function reportJson(report: Report) {
  return {
    attempt: report.attempt,
    epoch: report.epoch,
    at: isoTime(report.atMs),
    metrics: metricsJson(report.metrics),
  };
}
