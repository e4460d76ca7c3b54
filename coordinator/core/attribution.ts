/**
 * Decides whether the machine or the program caused a failure. An agent is quarantined only for failures of trials that
 * then succeed on other agents. Failures on several agents count against the program.
 */
import { groups } from 'd3-array';
import { errorPattern } from '../../lib/domain/error-pattern.ts';
import { firstLine } from '../../lib/text/visible-text.ts';
import type { AttemptEnd, AttributableClass, Lease } from './attempt-model.ts';
import type { Core, Sweep } from './model.ts';
import type { AgentRecord } from './sweep-observations.ts';
import type { Trial } from './trial-model.ts';

/** A failure within this time after the start of the attempt counts as early, because the machine may be the cause. */
const EARLY_FAILURE_MS = 30_000;
/** An agent is excluded from a sweep, or quarantined, only after this many trials have failed early on the agent. */
const SUSPECT_TRIALS = 3;
/** A trial whose preflight has failed on this many agents is not tried on a further agent. */
export const MAX_PREFLIGHT_AGENTS = 3;
/** A sweep is paused after this many consecutive failures that count against its program. */
export const PROGRAM_FAILURES = 10;
/** The maximum number of consecutive failures that a sweep records. */
export const MAX_CONSECUTIVE_FAILURES = 1_000;
/**
 * An agent is quarantined only if its failures are unlikely to be due to chance: the probability that a healthy machine
 * has as many failures as the agent must be below this limit. The probability is estimated from the rate of early
 * failures on other agents.
 */
const CHANCE = 1 / 500;
/** The maximum number of different errors that are listed in the reason for a pause. */
const NAMED_ERRORS = 3;

const ATTRIBUTABLE: readonly AttributableClass[] = ['oom', 'crash', 'timeout', 'preflight'];

/** Returns the failure class of an attempt if a machine can be responsible for the failure; otherwise undefined. */
export function attributableClass(end: AttemptEnd): AttributableClass | undefined {
  return end.outcome === 'failed' ? ATTRIBUTABLE.find((one) => one === end.failure.class) : undefined;
}

/**
 * Whether an attempt failed so early that the machine may be the cause: soon after its start, in preflight, or with a
 * timeout before any report. A fault of the machine can cause such a timeout.
 */
export function isEarly(lease: Lease, end: AttemptEnd, now: number): boolean {
  const failure = attributableClass(end);
  if (failure === undefined) return false;
  if (failure === 'preflight' || now - (lease.usage.startedAt ?? now) <= EARLY_FAILURE_MS) return true;
  return failure === 'timeout' && !lease.reported;
}

export function agentRecordOf(sweep: Sweep, agentId: string): AgentRecord {
  const known = sweep.records.get(agentId);
  if (known !== undefined) return known;
  const record: AgentRecord = { successes: 0, refuted: 0, failures: new Map() };
  sweep.records.set(agentId, record);
  return record;
}

/**
 * Removes the early failures of a trial that has failed or was cancelled. These failures are no evidence against an
 * agent, because the trial succeeded on no agent.
 */
export function withdrawEvidence(sweep: Sweep, trial: Trial): void {
  for (const { agentId } of trial.failedAttempts) sweep.records.get(agentId)?.failures.delete(trial.id);
}

/** Returns the agents on which the trial failed early. */
export function earlyAgents({ failedAttempts }: Trial): Set<string> {
  return new Set(failedAttempts.filter(({ early }) => early).map(({ agentId }) => agentId));
}

/**
 * Whether the early failures of at least three trials count against this agent. The failure of a trial counts if the
 * trial failed early on no other agent, or if it later succeeded elsewhere. The trials of a pack count as one trial.
 */
export function isSuspect(sweep: Sweep, agentId: string): boolean {
  const failures = sweep.records.get(agentId)?.failures;
  if (failures === undefined || failures.size < SUSPECT_TRIALS) return false;
  const packs = new Set<string>();
  for (const [trialId, { pack, refuted }] of failures) {
    const trial = sweep.trials.get(trialId);
    if (refuted || (trial !== undefined && earlyAgents(trial).size === 1)) packs.add(pack);
  }
  return packs.size >= SUSPECT_TRIALS;
}

/**
 * Whether the machine is the cause of the agent's failures. Returns true if enough of the failed trials succeeded on
 * other agents, and if early failures are rare on other agents. Suspect agents are not counted for this rate.
 */
export function isFaulty(sweep: Sweep, agentId: string): boolean {
  const refuted = [...(sweep.records.get(agentId)?.failures.values() ?? [])].filter((failure) => failure.refuted);
  const packs = new Set(refuted.map(({ pack }) => pack)).size;
  return packs >= SUSPECT_TRIALS && rateElsewhere(sweep, agentId) ** packs < CHANCE;
}

/** Returns the estimated probability that a trial fails early on another agent although the trial can succeed. */
function rateElsewhere(sweep: Sweep, agentId: string): number {
  let failed = 0;
  let succeeded = 0;
  for (const [id, record] of sweep.records) {
    if (id === agentId || isSuspect(sweep, id)) continue;
    failed += record.refuted;
    succeeded += record.successes;
  }
  return (failed + 0.5) / (failed + succeeded + 1);
}

/**
 * Whether the agent is quarantined for the sweep, or suspect. Early failures on this agent are not charged to the
 * sweep's trials while a healthy agent can run these trials.
 */
export function isExempt(core: Core, sweep: Sweep, agentId: string): boolean {
  return isQuarantinedFor(core, sweep, agentId) || isSuspect(sweep, agentId);
}

/** Whether an agent's quarantine covers the sweep. */
export function isQuarantinedFor(core: Core, sweep: Sweep, agentId: string): boolean {
  const quarantine = core.quarantines.get(agentId);
  return quarantine !== undefined && (quarantine.sweepIds.length > 1 || quarantine.sweepIds.includes(sweep.id));
}

/**
 * If the sweep's program causes the consecutive failures, returns the reason why the sweep must be paused.
 * @param isAlone whether only one agent can run the sweep's trials
 */
export function programFault(core: Core, sweep: Sweep, isAlone: boolean): string | undefined {
  if (sweep.consecutiveFailures.length < PROGRAM_FAILURES) return undefined;
  const agentsOfTrials = new Map<string, number>();
  for (const { trialId, earlyAgents: agents } of sweep.consecutiveFailures) {
    agentsOfTrials.set(trialId, Math.max(agents, agentsOfTrials.get(trialId) ?? 0));
  }
  const failures = sweep.consecutiveFailures.filter(({ trialId, agentId, early }) => {
    if (isAlone || !early) return true;
    return (agentsOfTrials.get(trialId) ?? 0) > 1 && !isQuarantinedFor(core, sweep, agentId);
  });
  const agents = new Set(failures.map(({ agentId }) => agentId)).size;
  if (failures.length < PROGRAM_FAILURES || (agents < 2 && !isAlone)) return undefined;
  const on = agents === 1 ? 'on 1 agent' : `on ${agents} agents`;
  return `${failures.length} failures in a row ${on}: ${groupedErrors(failures.map(({ error }) => error))}`;
}

/**
 * Returns the errors in order of frequency, such as `7 × "crash: no module torch"`. Errors that differ only in numbers,
 * addresses and paths count as one error, and the first of them is shown.
 */
function groupedErrors(errors: readonly string[]): string {
  const all = groups(errors, errorPattern).map(([, members]) => members);
  const sorted = all.sort((a, b) => b.length - a.length);
  const named = sorted
    .slice(0, NAMED_ERRORS)
    .map(([first, ...rest]) => `${rest.length + 1} × ${JSON.stringify(first)}`);
  const others = sorted.slice(NAMED_ERRORS).reduce((sum, members) => sum + members.length, 0);
  return [...named, ...(others > 0 ? [`${others} with other errors`] : [])].join(', ');
}

/** Returns the class of a failure, and at most 200 characters of the first line of its message. */
export function errorOf(failure: { readonly class: string; readonly message: string }): string {
  return `${failure.class}: ${firstLine(failure.message).slice(0, 200)}`;
}
