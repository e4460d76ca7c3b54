/**
 * The invariants that are checked at every commit, and whenever a message is sent to an agent or reaches an agent. The
 * ledger of trials and attempts is shared with the core's property tests (test/support/coordinator/ledger.ts).
 */

import { range } from 'd3-array';
import type { Runtime } from '../../coordinator/app/runtime.ts';
import type { AttemptEnd } from '../../coordinator/core/attempt-model.ts';
import { isEnded } from '../../coordinator/core/model.ts';
import type { Change, Output } from '../../coordinator/core/step.ts';
import type { Commit } from '../../coordinator/store/journal.ts';
import type { Retried } from '../../coordinator/transport/sweep-service.ts';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { TrawlError } from '../../proto/errors.ts';
import type { Ack, OpenRequest, OpenResponse, ReportResponse } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { FailureClassName } from '../../proto/names.ts';
import { budget } from '../support/coordinator/budget.ts';
import { databaseOf } from '../support/coordinator/database-of.ts';
import { Ledger } from '../support/coordinator/ledger.ts';
import { SIMULATED_WINDOW } from './creation-window.ts';
import { EarlyStoppingInvariant } from './early-stopping-invariant.ts';
import type { MachineOptions } from './machine.ts';
import { canRun, type MachineResources } from './placement.ts';
import { PriorityInvariant } from './priority-invariant.ts';
import { QueueInvariant } from './queue-invariant.ts';
import { SamplerInvariant } from './sampler.ts';
import { SearchInvariant } from './search-invariant.ts';
import { ShareInvariant } from './share-invariant.ts';

const FINAL: readonly string[] = ['succeeded', 'stopped', 'failed', 'cancelled'];
/** Compares the ledger with the core once per this many commits, because a comparison takes longer than a commit. */
const COMPARE_EVERY = 8;
const SETTLED_MS = 5_000;
/** The maximum time from a grant to its commit. */
const COMMIT_MS = 5;

interface Attempt {
  readonly agentId: string;
  readonly incarnation: string;
  readonly grantedAt: number;
  /** The sequence number of the attempt's newest durable record. */
  seq: number;
  end: AttemptEnd | undefined;
}

export interface InvariantsContext {
  machine(agentId: string): MachineResources | undefined;
  now(): number;
  /** Whether the memory of the coordinator may be ahead of the durable state during a commit. Default: false */
  readonly isMemoryAhead?: boolean;
  /** Returns when the last fault ended. Undefined while faults continue. */
  calmSince(): number | undefined;
  /** Returns whether the agent is responsible for the attempt, and has been reachable for longer than a lease lasts. */
  isThere(agentId: string, incarnation: string, key: AttemptKey): boolean;
  /** Whether the agent has been reachable for longer than a lease lasts. */
  isPresent(agentId: string): boolean;
  /** Whether the agent has written the record that returns the attempt. */
  hasReturned(agentId: string, key: AttemptKey): boolean;
  /** Whether a worker of the agent has started the attempt. */
  hasRun(agentId: string, key: AttemptKey): boolean;
  /** Returns the sequence number of the attempt's newest record on its agent's disk. Zero if the disk has no record. */
  spooledUpTo(agentId: string, key: AttemptKey): number;
}

export class Invariants {
  readonly ledger: Ledger;
  readonly attempts = new Map<string, Attempt>();
  readonly #slots: number;
  readonly #drained = new Set<string>();
  readonly #world: InvariantsContext;
  /** The trials that each retry request has retried, and the number of the commit that retried them, by request id. */
  readonly retries = new Map<string, { readonly trials: Set<string>; readonly commit: number }>();
  /** Killed sweeps that a retry resumed. */
  readonly revived = new Set<string>();
  /** Trials that a retry made pending again and that were not cancelled afterward, as `SWEEP/TRIAL`. */
  readonly revivedTrials = new Set<string>();
  readonly #shares: ShareInvariant;
  readonly #priorities: PriorityInvariant;
  readonly #earlyStopping = new EarlyStoppingInvariant();
  readonly #samplers = new SamplerInvariant();
  readonly #queues: QueueInvariant;
  readonly #searches = new SearchInvariant((invariant) => this.violated(invariant));
  #commits = 0;
  /** The names of the events and states that occurred. They show which cases the simulation covered. */
  readonly reached = new Set<string>();
  /** The first violated invariant. */
  violation: string | undefined;

  constructor(
    world: InvariantsContext,
    machines: readonly (Pick<MachineOptions, 'id' | 'slots' | 'transferMs'> & MachineResources)[],
  ) {
    this.#world = world;
    this.ledger = new Ledger(({ resources }) =>
      machines.filter((one) => range(one.slots).some((slot) => canRun(resources, one, slot))).map(({ id }) => id),
    );
    this.#slots = machines.reduce((sum, machine) => sum + machine.slots, 0);
    this.#queues = new QueueInvariant(world, machines);
    this.#shares = new ShareInvariant(this.ledger, this.#slots);
    this.#priorities = new PriorityInvariant(this.ledger, machines);
  }

  violated(invariant: string): void {
    this.violation ??= invariant;
  }

  /**
   * Adds new sweeps to the ledger.
   * @param changes the changes of the current commit, which are not in the ledger yet
   */
  submitted(runtime: Runtime, changes: readonly Change[] = []): void {
    const creating = new Set(
      changes.flatMap((one) => (one.kind === 'created' ? `${one.sweepId}/${one.trial.trialId}` : [])),
    );
    for (const sweep of runtime.core.sweeps.values()) {
      if (this.ledger.sweeps.has(sweep.id)) continue;
      const row = databaseOf(runtime).prepare('select policy, priority from sweeps where id = ?').get(sweep.id) as {
        policy: string;
        priority: number;
      };
      // The sweep in memory can contain trials that are not durable yet.
      const stored = databaseOf(runtime).prepare('select id from trials where sweep_id = ?').all(sweep.id) as {
        id: string;
      }[];
      const trials = new Map(
        [...sweep.trials].filter(([id]) => {
          return stored.some((one) => one.id === id) && !creating.has(`${sweep.id}/${id}`);
        }),
      );
      if (trials.size > SIMULATED_WINDOW.trials)
        this.violated(`sweep ${sweep.id} was submitted with ${trials.size} trials`);
      this.ledger.addSweep({ ...sweep, trials, priority: row.priority, policy: JSON.parse(row.policy) });
      this.#priorities.submitted(sweep.id, this.#world.now());
      this.#searches.submitted(sweep.id, databaseOf(runtime), creating);
    }
  }

  /**
   * Called after each start of the coordinator. From then on, every suggestion of the new coordinator process is
   * checked.
   */
  started(runtime: Runtime): void {
    this.#searches.watch(runtime);
  }

  /** If the output is an offer, checks that the offered trial is durable. */
  sending(output: Output, runtime: Runtime): void {
    if (output.kind === 'return') this.reached.add('an order to return attempts');
    if (output.kind !== 'offer') return;
    const { sweepId, trialId } = output.key;
    const select = databaseOf(runtime).prepare('select 1 from trials where sweep_id = ? and id = ?');
    if (select.get(sweepId, trialId) !== undefined) return;
    this.violated(`${keyText(output.key)} was offered before its trial was durable`);
  }

  /** Checks that the state that a coordinator has loaded at its start matches the durable state. */
  loaded(runtime: Runtime): void {
    this.#judge(() => {
      this.submitted(runtime);
      this.ledger.compare(runtime.core);
      this.#queues.loaded();
    });
  }

  committed({ changes }: Commit, runtime: Runtime): void {
    this.#judge(() => {
      // New sweeps are added here too, because the first trials of a sweep can be offered before its submission is
      // answered.
      this.submitted(runtime, changes);
      for (const change of changes) {
        this.#beforeChange(change);
        this.#checkScheduling(change);
        this.ledger.write(change);
        this.#windowHolds(change);
        this.#afterChange(change);
      }
      this.#budgetsHold(changes);
      this.#earlyStoppingHolds(changes, runtime);
      const problem = this.#samplers.take(changes, databaseOf(runtime));
      if (problem !== undefined) this.violated(problem);
      this.#searches.take(changes, databaseOf(runtime));
      const queueProblem = this.#queues.take(changes, runtime.core);
      if (queueProblem !== undefined) this.violated(queueProblem);
      const parts = [this.#samplers, this.#searches, this.#queues];
      for (const name of parts.flatMap(({ reached }) => [...reached])) this.reached.add(name);
      this.#commits += 1;
      if (this.#commits % COMPARE_EVERY === 0 && this.#world.isMemoryAhead !== true) this.ledger.compare(runtime.core);
    });
  }

  #earlyStoppingHolds(changes: readonly Change[], runtime: Runtime): void {
    const db = databaseOf(runtime);
    const invariant = this.#earlyStopping.take(
      changes,
      (sweepId) => this.ledger.sweeps.get(sweepId),
      (sweepId, trialId) => {
        const select = db.prepare("select parameters ->> 'epochs' as n from trials where sweep_id = ? and id = ?");
        return (select.get(sweepId, trialId) as { n: number }).n;
      },
    );
    for (const name of this.#earlyStopping.reached) this.reached.add(name);
    if (invariant !== undefined) this.violated(invariant);
  }

  /** Checks that a repeated retry request gets the same answer as the first request. */
  retryAsked(requestId: string, answer: Promise<Retried>): void {
    const before = this.retries.get(requestId)?.trials.size;
    if (before === undefined) return;
    this.reached.add('a repeated retry request');
    answer.then(
      ({ trials }) => trials === before || this.violated(`${requestId} retried ${before} trials, and then ${trials}`),
      (error) =>
        error instanceof TrawlError &&
        this.violated(`${requestId} took effect, and its repetition failed: ${error.message}`),
    );
  }

  /** Called when a retry's acknowledgement reaches the user. */
  retried(requestId: string, trials: number): void {
    const durable = this.retries.get(requestId)?.trials.size ?? 0;
    if (trials > 0 && durable !== trials) {
      this.violated(`${requestId} was acknowledged for ${trials} trials; durable: ${durable}`);
    }
  }

  /** Called when a message reaches an agent. */
  received({ message }: ReportResponse): void {
    if (message?.$case === 'refused') this.reached.add(`record rejected: ${message.refused.code}`);
    if (message?.$case === 'ack') this.#acknowledged(message.ack);
    if (message?.$case === 'batch') for (const ack of message.batch.acks) this.#acknowledged(ack);
  }

  #acknowledged({ key, seq }: Ack): void {
    if (key === undefined) return;
    const attempt = this.attempts.get(keyText(key));
    const durable = (attempt?.seq ?? 0) + (attempt?.end !== undefined && !endedByCoordinator(attempt.end) ? 1 : 0);
    // Once an attempt with `trainer: command` is stopped, its later records are not stored, except log text and files.
    const isStopped = attempt?.end?.outcome === 'stopped';
    const dropsRecords = isStopped && this.ledger.sweeps.get(key.sweepId)?.policy.trainer === 'command';
    if (seq > durable && !dropsRecords) {
      this.violated(`record ${seq} of ${keyText(key)} was acknowledged; durable: ${durable}`);
    }
  }

  /** Called when decisions on claims reach an agent. */
  decided({ agentId, incarnation, claims }: OpenRequest, { decisions }: OpenResponse): void {
    for (const [at, { key, answer, mates }] of decisions.entries()) {
      if (answer?.$case === 'refusal') this.reached.add(`claim rejected: ${answer.refusal.code}`);
      if (mates.length > 0) this.reached.add('a pack');
      if (answer?.$case !== 'grant' || key === undefined) continue;
      const claimed = claims[at]?.key;
      if (claimed === undefined || keyText(claimed) !== keyText(key)) {
        this.violated(`agent ${agentId} claimed ${claimed && keyText(claimed)} and was granted ${keyText(key)}`);
      }
      for (const granted of [key, ...mates.flatMap((mate) => mate.key ?? [])]) {
        const attempt = this.attempts.get(keyText(granted));
        if (attempt?.agentId === agentId && attempt.incarnation === incarnation) continue;
        this.violated(
          `${keyText(granted)} was granted to ${incarnation}; durable: ${attempt?.incarnation ?? 'no such grant'}`,
        );
      }
    }
  }

  /** Returns the sweeps with trials that have not ended. */
  unfinished(): string[] {
    const sweeps = new Set<string>();
    for (const [name, { state }] of this.ledger.trials) {
      if (!FINAL.includes(state)) sweeps.add(name.split('/')[0] ?? '');
    }
    return [...sweeps];
  }

  #beforeChange(change: Change): void {
    if (change.kind === 'drain') {
      this.reached.add(change.drain ? 'an agent drained' : 'an agent undrained');
      if (change.drain) this.#drained.add(change.agentId);
      else this.#drained.delete(change.agentId);
    }
    if (change.kind === 'granted' && this.#drained.has(change.agentId)) {
      this.violated(`${keyText(change.key)} was granted to ${change.agentId}, which is drained`);
    }
    if (change.kind === 'sweep' && change.state === 'running') {
      const before = this.ledger.sweeps.get(change.sweepId)?.state;
      if (before === 'killed') this.revived.add(change.sweepId);
      if (before && isEnded(before)) this.reached.add(`a ${before} sweep runs again`);
    }
    if (change.kind === 'granted') this.#checkResources(change);
    if (change.kind !== 'ended') return;
    const attempt = this.attempts.get(keyText(change.key));
    if (attempt !== undefined) this.#endIsRight(change.key, attempt, change.end);
  }

  /** Checks the invariants of priorities and shares. The ledger must still have the state before the change. */
  #checkScheduling(change: Change): void {
    const now = this.#world.now();
    const machine = change.kind === 'granted' ? this.#world.machine(change.agentId) : undefined;
    for (const invariant of [this.#priorities.take(change, machine, now), this.#shares.take(change, now)]) {
      if (invariant !== undefined) this.violated(invariant);
    }
    if (change.kind === 'priority') this.reached.add('a priority change');
    if (change.kind === 'applied') this.#noteVersion(change);
    if (this.#priorities.judged) this.reached.add('a grant while a sweep of higher priority ran');
    if (this.#shares.wasJudged) this.reached.add('a contest');
  }

  #noteVersion({ sweepId, dropped, restored, done }: Change & { kind: 'applied' }): void {
    this.reached.add('a new version');
    if (!done) this.reached.add('a new version with further points');
    if (restored.length > 0) this.reached.add('a restored point');
    const stateOf = (trialId: string) => this.ledger.trials.get(`${sweepId}/${trialId}`)?.state;
    for (const trialId of dropped) this.reached.add(`a dropped ${stateOf(trialId)} trial`);
  }

  #checkResources({ key, agentId, slot }: Change & { kind: 'granted' }): void {
    const resources = this.ledger.sweeps.get(key.sweepId)?.policy.resources;
    const machine = this.#world.machine(agentId);
    if (resources === undefined || machine === undefined) return;
    if (resources.gpu !== undefined || resources.labels.zone !== undefined) this.reached.add('placed');
    if (canRun(resources, machine, slot)) return;
    this.violated(
      `${keyText(key)} requests ${JSON.stringify(resources)} and was granted to slot ${slot} of ${agentId}`,
    );
  }

  #endIsRight(key: AttemptKey, attempt: Attempt, end: AttemptEnd): void {
    if (end.outcome !== 'failed' || !endedByCoordinator(end)) return;
    const name = keyText(key);
    const { failure } = end;
    const { timeoutMs = 0 } = this.ledger.sweeps.get(key.sweepId)?.policy ?? {};
    const now = this.#world.now();
    const calm = this.#world.calmSince();
    if (calm !== undefined && attempt.grantedAt > calm + SETTLED_MS) {
      const early = failure.class === 'timeout' && now - attempt.grantedAt < timeoutMs - COMMIT_MS;
      if (failure.class === 'lost' || early) this.violated(`${name} failed after the last fault: ${failure.message}`);
    }
    if (failure.class === 'lost' && this.#world.isThere(attempt.agentId, attempt.incarnation, key)) {
      this.violated(`${name} was lost although its agent was connected: ${failure.message}`);
    }
    if (failure.message.endsWith('was restarted')) {
      const spooled = this.#world.spooledUpTo(attempt.agentId, key);
      if (spooled <= attempt.seq) return;
      this.violated(`${name} was lost at record ${attempt.seq}, but record ${spooled} was on its agent's disk`);
    }
  }

  #afterChange(change: Change): void {
    if (change.kind === 'trial') {
      this.reached.add(`trial ${change.state}`);
      if (change.state === 'cancelled') this.revivedTrials.delete(`${change.sweepId}/${change.trialId}`);
      if (change.state === 'failed') this.#wasRetriedElsewhere(change);
    }
    if (change.kind === 'promoted') this.reached.add('a promoted attempt');
    if (change.kind === 'quarantine') this.reached.add(change.quarantine ? 'a quarantine' : 'the end of a quarantine');
    if (change.kind === 'sweep') this.reached.add(`sweep ${change.state}`);
    if (change.kind === 'sweep' && change.state === 'killed') this.revived.delete(change.sweepId);
    if (change.kind === 'retried') this.#retriedOnce(change);
    if (change.kind === 'granted') {
      if (change.resumedFrom > 0) this.reached.add('resumed');
      if (change.speculative) this.reached.add('a second attempt');
      const { agentId, incarnation, key } = change;
      const grantedAt = this.#world.now();
      this.attempts.set(keyText(key), { agentId, incarnation, grantedAt, seq: 0, end: undefined });
    } else if (change.kind === 'ended') {
      if (change.end.outcome === 'failed') this.reached.add(`failed: ${change.end.failure.class}`);
      if (change.end.outcome === 'superseded') this.reached.add('a superseded attempt');
      if (change.free) this.reached.add('a free failure');
      const attempt = this.attempts.get(keyText(change.key));
      if (attempt !== undefined) attempt.end = change.end;
    } else if ('seq' in change) {
      const attempt = this.attempts.get(keyText(change.key));
      if (attempt !== undefined) attempt.seq = change.seq;
    }
  }

  /** Checks that a trial does not end as failed if it failed early on only one agent and another agent could run it. */
  #wasRetriedElsewhere({ sweepId, trialId, failure }: Change & { kind: 'trial' }): void {
    const trial = this.ledger.trials.get(`${sweepId}/${trialId}`);
    if (failure === undefined || trial?.lastEarly !== true || trial.earlyAgents.size !== 1) return;
    const others = this.ledger
      .agentsElsewhere({ sweepId, trialId })
      .filter((id) => this.#world.isPresent(id) && !this.#drained.has(id));
    if (others.length === 0) return;
    const [agent] = trial.earlyAgents;
    this.violated(
      `${sweepId}/${trialId} failed (${failure.class}) on ${agent} only, and ${others.join(', ')} could run it`,
    );
  }

  /** Checks that a retry request takes effect in one commit, and retries no trial twice. */
  #retriedOnce({ requestId, sweepId, trialId, failure }: Change & { kind: 'retried' }): void {
    this.reached.add(failure === undefined ? 'a cancelled trial retried' : 'a failed trial retried');
    const name = `${sweepId}/${trialId}`;
    this.revivedTrials.add(name);
    const request = this.retries.get(requestId) ?? { trials: new Set(), commit: this.#commits };
    this.retries.set(requestId, request);
    if (request.trials.has(name)) this.violated(`${requestId} retried trial ${name} twice`);
    if (request.commit !== this.#commits) this.violated(`${requestId} took effect in more than one commit`);
    request.trials.add(name);
  }

  #budgetsHold(changes: readonly Change[]): void {
    const touched = new Set<string>();
    const overLimit = new Set<string>();
    const atTarget = new Set<string>();
    for (const change of changes) {
      if (change.kind === 'trial') {
        touched.add(change.sweepId);
        if (change.state === 'failed') overLimit.add(change.sweepId);
      } else if (change.kind === 'granted') {
        touched.add(change.key.sweepId);
      } else if (change.kind === 'ended') {
        this.#retriesHold(change.key);
      } else if (change.kind === 'report') {
        if (this.#isAtTarget(change)) atTarget.add(change.key.sweepId);
      } else if (change.kind === 'sweep') {
        overLimit.delete(change.sweepId);
        if (change.state === 'running') atTarget.delete(change.sweepId);
      }
    }
    for (const id of touched) this.#concurrencyHolds(id);
    for (const id of overLimit) this.#maxFailedHolds(id);
    for (const id of atTarget) this.#targetHolds(id);
  }

  #windowHolds(change: Change): void {
    if (change.kind !== 'created') return;
    this.reached.add('a trial created while its sweep runs');
    const waiting = this.ledger.waiting(change.sweepId);
    if (waiting > Math.max(SIMULATED_WINDOW.trials, 2 * this.#slots + 1))
      this.violated(`sweep ${change.sweepId} has created ${waiting} trials that have not started`);
  }

  #isAtTarget({ key, metrics }: Change & { kind: 'report' }): boolean {
    const { target, ranking } = this.ledger.sweeps.get(key.sweepId)?.policy ?? {};
    if (this.ledger.trials.get(`${key.sweepId}/${key.trialId}`)?.dropped) return false;
    const value = metrics[ranking?.metric ?? ''];
    if (target === undefined || value === undefined) return false;
    return ranking?.goal === 'maximize' ? value >= target : value <= target;
  }

  #targetHolds(sweepId: string): void {
    this.reached.add('a target reached');
    const state = this.ledger.sweeps.get(sweepId)?.state;
    const waiting = this.#count(sweepId, (each) => each === 'pending' || each === 'offered');
    if (state === 'running' || state === 'paused' || waiting > 0) {
      this.violated(`sweep ${sweepId} is ${state} with ${waiting} pending trials after its target was reached`);
    }
  }

  #retriesHold({ sweepId, trialId }: AttemptKey): void {
    const trial = this.ledger.trials.get(`${sweepId}/${trialId}`);
    const policy = this.ledger.sweeps.get(sweepId)?.policy;
    if (trial === undefined || policy === undefined) return;
    for (const [failure, times] of Object.entries(trial.charged) as [FailureClassName, number][]) {
      const allowed = budget(failure, policy);
      if (times > allowed || (times === allowed && !FINAL.includes(trial.state))) {
        this.violated(
          `trial ${sweepId}/${trialId} is ${trial.state} after ${times} failures (${failure}); ${allowed} make it fail`,
        );
      }
    }
  }

  #concurrencyHolds(sweepId: string): void {
    const { concurrency } = this.ledger.sweeps.get(sweepId)?.policy ?? {};
    if (concurrency === undefined) return;
    const second = [...this.ledger.trials].filter(([name, one]) => name.startsWith(`${sweepId}/`) && one.second).length;
    const busy = this.#count(sweepId, (state) => state === 'offered' || state === 'running') + second;
    if (busy > concurrency)
      this.violated(`sweep ${sweepId} has ${busy} attempts offered or running; its limit is ${concurrency}`);
  }

  #maxFailedHolds(sweepId: string): void {
    const sweep = this.ledger.sweeps.get(sweepId);
    const limit = sweep?.policy.maxFailed;
    if (limit === undefined || sweep?.state !== 'running') return;
    const dropped = this.#count(sweepId, (state, isDropped) => isDropped && FINAL.includes(state));
    const allowed = limit.kind === 'count' ? limit.count : limit.ratio * (sweep.planned - dropped);
    const failed = this.#count(sweepId, (state, isDropped) => state === 'failed' && !isDropped);
    if (failed > allowed)
      this.violated(`sweep ${sweepId} continues with ${failed} failed trials; its limit is ${allowed}`);
  }

  #count(sweepId: string, which: (state: string, isDropped: boolean) => boolean): number {
    let count = 0;
    for (const [name, { state, dropped }] of this.ledger.trials)
      if (name.startsWith(`${sweepId}/`) && which(state, dropped)) count += 1;
    return count;
  }

  #judge(look: () => void): void {
    try {
      look();
    } catch (error) {
      this.violated(error instanceof Error ? (error.stack ?? error.message) : `${error}`);
    }
  }
}

function endedByCoordinator(end: AttemptEnd): boolean {
  if (end.outcome === 'returned') return false;
  if (end.outcome !== 'succeeded' && end.outcome !== 'failed') return true;
  if (end.outcome !== 'failed') return false;
  return /^(agent \S+ was (not heard from|restarted)|exceeded the sweep's timeout|records \d+ to \d+ of)/.test(
    end.failure.message,
  );
}
