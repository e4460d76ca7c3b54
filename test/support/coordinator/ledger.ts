/**
 * An independent copy of a core's state. The copy is built from the changes of the core, and each change is checked
 * against the copy.
 */

import { strict as assert } from 'node:assert';
import type { Lease, SlotUsage } from '../../../coordinator/core/attempt-model.ts';
import { type Core, isEnded, type Sweep } from '../../../coordinator/core/model.ts';
import type { SweepPolicy } from '../../../coordinator/core/policy.ts';
import type { Change } from '../../../coordinator/core/step.ts';
import { isFinal, type TrialState } from '../../../coordinator/core/trial-model.ts';
import { type AttemptKey, keyText } from '../../../lib/domain/attempt-key.ts';
import { endedByTarget } from '../../../lib/domain/target.ts';
import type { FailureClassName } from '../../../proto/names.ts';
import { budget } from './budget.ts';

const TRANSITIONS: Readonly<Record<TrialState, readonly TrialState[]>> = {
  pending: ['offered', 'cancelled'],
  offered: ['running', 'pending', 'cancelled'],
  running: ['pending', 'held', 'succeeded', 'stopped', 'failed', 'cancelled'],
  held: ['pending', 'stopped', 'cancelled'],
  succeeded: [],
  stopped: [],
  failed: [],
  cancelled: [],
};

interface Entry {
  state: TrialState;
  attempts: number;
  /** The running attempt whose results count for the trial, with the number of its newest record. */
  open: OpenAttempt | undefined;
  /** The second running attempt of the trial, if the trial has two. */
  second: OpenAttempt | undefined;
  /** Whether the trial has had a speculative attempt since a user last retried the trial. */
  speculated: boolean;
  /**
   * The attempt that superseded the trial's other attempt. It must be the next attempt of the trial to end, and it must
   * end with a result.
   */
  winner: AttemptKey | undefined;
  /** Whether the trial's point is missing from the current version of the sweep. */
  dropped: boolean;
  /**
   * Whether a version has restored the trial's point since the trial's state last changed. If so, the next change may
   * be from cancelled to pending.
   */
  restored: boolean;
  /** The number of failures of each class since a user last retried the trial. */
  failures: Partial<Record<FailureClassName, number>>;
  /** The number of lost attempts that were not charged to the trial since a user last retried it. */
  freeLosses: number;
  /**
   * The number of failures of each class that count against the retry budget. A failure that a faulty machine may have
   * caused does not count.
   */
  charged: Partial<Record<FailureClassName, number>>;
  /** The agents on which the trial failed early since a user last retried the trial. */
  earlyAgents: Set<string>;
  /** Whether the last failure of the trial was early. */
  lastEarly: boolean;
  /** The agent on which the trial succeeded. */
  succeededOn: string | undefined;
  /** The class of the failure that led to the current state. */
  failure: FailureClassName | undefined;
  /** The newest stored checkpoint. */
  checkpoint: { readonly attempt: number; readonly epoch: number } | undefined;
}

interface OpenAttempt {
  readonly key: AttemptKey;
  readonly agentId: string;
  readonly speculative: boolean;
  lastSeq: number;
}

/** If a trial fails early on this number of agents, the trial itself is the cause. */
const MAX_EARLY_AGENTS = 3;
/** If this number of different trials fail early on an agent, the machine of the agent might be the cause. */
const MIN_EARLY_TRIALS = 3;

export class Ledger {
  readonly trials = new Map<string, Entry>();
  /** For each sweep and agent: the sweep's trials that failed early on the agent since a trial last succeeded there. */
  readonly #early = new Map<string, Set<string>>();
  /** For each quarantined agent: the sweeps whose trials failed on the agent. */
  readonly quarantines = new Map<string, readonly string[]>();
  readonly sweeps = new Map<
    string,
    {
      state: Sweep['state'];
      reason: string;
      priority: number;
      planned: number;
      policy: SweepPolicy;
      version: number;
      readonly warnings: Set<string>;
    }
  >();

  /** The attempts that early stopping has ended, and whose programs can still send log text and artifacts. */
  readonly #closing = new Map<string, OpenAttempt>();
  readonly #stragglers = new Set<string>();
  readonly #agentsFor: (sweep: SweepPolicy) => readonly string[];

  readonly #keepsEnded: boolean;

  /**
   * @param agentsFor returns the agents that can run a sweep's trials, whether or not the agents are present
   * @param core a core whose sweeps are added to the copy; it must keep ended trials in memory
   */
  constructor(agentsFor: (sweep: SweepPolicy) => readonly string[], core?: Core) {
    this.#agentsFor = agentsFor;
    this.#keepsEnded = core !== undefined;
    for (const sweep of core?.sweeps.values() ?? []) this.addSweep(sweep);
  }

  /** Adds a sweep in its initial state, regardless of its current state in memory. */
  addSweep(sweep: Sweep): void {
    this.sweeps.set(sweep.id, {
      state: 'running',
      reason: '',
      priority: sweep.priority,
      planned: sweep.planned,
      policy: sweep.policy,
      version: 1,
      warnings: new Set(),
    });
    for (const trial of sweep.trials.values()) {
      this.#addTrial(sweep.id, trial.id);
    }
  }

  #addTrial(sweepId: string, trialId: string): void {
    this.trials.set(`${sweepId}/${trialId}`, {
      state: 'pending',
      attempts: 0,
      open: undefined,
      second: undefined,
      speculated: false,
      winner: undefined,
      dropped: false,
      restored: false,
      failures: {},
      freeLosses: 0,
      charged: {},
      earlyAgents: new Set(),
      lastEarly: false,
      succeededOn: undefined,
      failure: undefined,
      checkpoint: undefined,
    });
  }

  /** Returns the number of trials of a sweep that wait for their first or next attempt. */
  waiting(sweepId: string): number {
    const trials = [...this.trials].filter(([name]) => name.startsWith(`${sweepId}/`));
    return trials.filter(([, { state }]) => state === 'pending' || state === 'offered').length;
  }

  /**
   * Applies a change.
   * @throws {AssertionError} if the change is not permitted
   */
  write(change: Change): void {
    switch (change.kind) {
      case 'created': {
        const { sweepId, trial, state } = change;
        assert.equal(this.#sweep(sweepId).state, 'running', 'only a running sweep creates trials');
        assert.ok(
          !this.trials.has(`${sweepId}/${trial.trialId}`),
          `trial ${sweepId}/${trial.trialId} is created twice`,
        );
        assert.equal(state.created, trial.index + 1, 'a trial is created together with the next search state');
        this.#addTrial(sweepId, trial.trialId);
        break;
      }
      case 'inherited': {
        const { sweepId, trial, origin } = change;
        assert.equal(this.#sweep(sweepId).state, 'running', 'only a running sweep creates trials');
        assert.ok(
          !this.trials.has(`${sweepId}/${trial.trialId}`),
          `trial ${sweepId}/${trial.trialId} is created twice`,
        );
        const parent = this.#entry({ sweepId, trialId: origin.parent });
        const { epoch, attempt } = origin.checkpoint;
        assert.deepEqual(
          parent.checkpoint,
          { attempt, epoch },
          'a child starts from the newest checkpoint of its parent',
        );
        this.#addTrial(sweepId, trial.trialId);
        this.#entry({ sweepId, trialId: trial.trialId }).checkpoint = { attempt: 0, epoch };
        break;
      }
      case 'searched':
      case 'facts':
      case 'identical':
        break;
      case 'sweep': {
        const sweep = this.#sweep(change.sweepId);
        if (isEnded(sweep.state)) assert.equal(change.state, 'running', 'an ended sweep can only change to running');
        sweep.state = change.state;
        sweep.reason = change.reason ?? sweep.reason;
        break;
      }
      case 'trial': {
        const entry = this.#entry(change);
        const returns = entry.restored && entry.state === 'cancelled' && change.state === 'pending';
        entry.restored = false;
        assert.ok(
          returns || TRANSITIONS[entry.state].includes(change.state),
          `a trial changed from ${entry.state} to ${change.state}`,
        );
        if (change.state === 'offered' || change.state === 'pending') {
          assert.ok(!entry.dropped, `a trial whose point was dropped became ${change.state}`);
        }
        if (change.state === 'offered') {
          assert.equal(this.#sweep(change.sweepId).state, 'running', 'only trials of a running sweep are offered');
        }
        assert.equal(entry.open ?? entry.second, undefined, `a trial became ${change.state} before its attempt ended`);
        entry.state = change.state;
        entry.failure = change.failure?.class;
        if (change.state === 'failed' && change.failure !== undefined) {
          const { class: failure } = change.failure;
          const isOver = failure === 'preflight' && entry.earlyAgents.size >= MAX_EARLY_AGENTS;
          const times = entry.failures[failure] ?? 0;
          assert.ok(
            isOver || times >= budget(failure, this.#sweep(change.sweepId).policy),
            'a trial fails only if its budget is used up',
          );
        }
        break;
      }
      case 'agent':
      case 'drain':
        break;
      case 'cleared':
        assert.ok(
          this.#earlyOn(change.sweepId, change.agentId).size > 0,
          'early failures are cleared only if there are any',
        );
        this.#earlyOn(change.sweepId, change.agentId).clear();
        break;
      case 'quarantine':
        this.#quarantine(change);
        break;
      case 'retried': {
        const entry = this.#entry(change);
        assert.ok(['failed', 'cancelled'].includes(entry.state), `a ${entry.state} trial was retried`);
        assert.ok(!entry.dropped, 'a trial whose point was dropped was retried');
        assert.ok(
          ['running', 'paused'].includes(this.#sweep(change.sweepId).state),
          'a retry requires a running or paused sweep',
        );
        assert.equal(change.attempts, entry.attempts, 'a retry does not reset the number of attempts');
        assert.equal(change.failure, entry.failure, 'a retry records the failure of its trial');
        if (change.failure === 'nan') entry.checkpoint = undefined;
        assert.equal(change.resumesFrom, entry.checkpoint?.epoch ?? 0, 'an attempt resumes from the newest checkpoint');
        entry.state = 'pending';
        entry.failures = {};
        entry.freeLosses = 0;
        entry.charged = {};
        entry.earlyAgents = new Set();
        entry.failure = undefined;
        entry.speculated = false;
        break;
      }
      case 'applied':
        this.#apply(change);
        break;
      case 'priority':
        assert.equal(
          this.#sweep(change.sweepId).priority,
          change.before,
          'a priority change starts from the current priority',
        );
        this.#sweep(change.sweepId).priority = change.priority;
        break;
      case 'granted':
        this.#grant(change);
        break;
      case 'promoted': {
        const entry = this.#entry(change.key);
        assert.deepEqual(entry.second?.key, change.key, 'only a second attempt is promoted');
        [entry.open, entry.second] = [entry.second, entry.open];
        break;
      }
      case 'ended': {
        this.#end(this.#openAttempt(change.key), change);
        const entry = this.#entry(change.key);
        if (keyText(change.key) === keyText(entry.open?.key ?? change.key)) {
          assert.equal(entry.second, undefined, 'the second attempt is promoted before the first attempt ends');
          entry.open = undefined;
        } else entry.second = undefined;
        break;
      }
      case 'warning': {
        const shown = this.#sweep(change.sweepId).warnings;
        assert.equal(
          shown.has(change.warning),
          !change.appeared,
          'a warning appears once, and can change until it disappears',
        );
        if (change.shown === undefined) shown.delete(change.warning);
        else shown.add(change.warning);
        break;
      }
      case 'straggler':
        this.#openAttempt(change.key);
        assert.ok(!this.#stragglers.has(keyText(change.key)), 'an attempt is found to be a straggler at most once');
        this.#stragglers.add(keyText(change.key));
        break;
      case 'notice':
      case 'program':
      case 'report':
      case 'log':
      case 'artifact': {
        const closing = this.#closing.get(keyText(change.key));
        if (closing !== undefined) {
          const isLate = change.kind === 'log' || change.kind === 'artifact';
          assert.ok(isLate, 'the program of a stopped trial can store only log text and artifacts');
          assert.ok(change.seq > closing.lastSeq, 'no record is stored twice');
          closing.lastSeq = change.seq;
          break;
        }
        const open = this.#openAttempt(change.key);
        assert.equal(change.seq, open.lastSeq + 1, 'records are numbered without gaps');
        open.lastSeq = change.seq;
        if (change.kind === 'artifact' && change.artifact.kind === 'checkpoint') {
          assert.ok(!open.speculative, 'a speculative attempt stores no checkpoint');
          this.#entry(change.key).checkpoint = { attempt: change.key.attempt, epoch: change.artifact.epoch };
        }
        break;
      }
    }
  }

  #apply({ sweepId, version, planned, dropped, restored }: Change & { kind: 'applied' }): void {
    const sweep = this.#sweep(sweepId);
    const mayChange = ['running', 'paused', 'finished'].includes(sweep.state) || endedByTarget(sweep);
    assert.ok(mayChange, `a ${sweep.state} sweep changed its version`);
    assert.equal(version.number, sweep.version + 1, 'versions are numbered without gaps');
    Object.assign(sweep, {
      ...{ version: version.number, policy: version.policy, priority: version.priority, planned },
    });
    for (const trialId of dropped) {
      const entry = this.#entry({ sweepId, trialId });
      assert.ok(!entry.dropped, 'a dropped point is not dropped again');
      entry.dropped = true;
    }
    for (const trialId of restored) {
      const entry = this.#entry({ sweepId, trialId });
      assert.ok(entry.dropped, 'only a dropped point is restored');
      entry.dropped = false;
      entry.restored = true;
    }
  }

  #grant({ key, agentId, resumedFrom, speculative }: Change & { kind: 'granted' }): void {
    const entry = this.#entry(key);
    const { state, policy } = this.#sweep(key.sweepId);
    assert.equal(state, 'running', 'only trials of a running sweep are granted');
    assert.ok(!entry.dropped, 'a trial whose point was dropped does not start again');
    assert.equal(key.attempt, entry.attempts + 1, 'attempts are numbered without gaps');
    assert.equal(entry.second, undefined, 'a trial has at most two running attempts');
    const open = { key, agentId, speculative, lastSeq: 0 };
    entry.attempts += 1;
    if (!speculative) {
      assert.equal(entry.open, undefined, 'a trial has at most one running attempt that is not speculative');
      assert.equal(entry.state, 'offered', 'only offered trials are granted');
      assert.equal(resumedFrom, entry.checkpoint?.epoch ?? 0, 'an attempt resumes from the newest checkpoint');
      entry.state = 'running';
      entry.failure = undefined;
      entry.open = open;
      return;
    }
    assert.ok(policy.speculate, 'only sweeps with speculate: true have a second attempt');
    assert.ok(entry.open !== undefined, 'only a running trial has a second attempt');
    assert.ok(this.#stragglers.has(keyText(entry.open.key)), 'only a straggler has a second attempt');
    assert.notEqual(entry.open.agentId, agentId, 'a second attempt runs on another agent');
    assert.ok(!entry.speculated, 'a trial has at most one speculative attempt');
    assert.equal(resumedFrom, 0, 'a speculative attempt starts from the beginning');
    entry.speculated = true;
    entry.second = open;
  }

  #end(ended: OpenAttempt, { key, end, early, free }: Change & { kind: 'ended' }): void {
    const { agentId } = ended;
    const entry = this.#entry(key);
    const others = [entry.open, entry.second].filter((one) => one !== undefined && one.key.attempt !== key.attempt);
    if (entry.winner !== undefined) {
      assert.deepEqual(key, entry.winner, 'the attempt that superseded another ends next');
      assert.notEqual(end.outcome, 'failed', 'only a result supersedes an attempt');
      assert.notEqual(end.outcome, 'superseded', 'an attempt that superseded another is not superseded itself');
      entry.winner = undefined;
    }
    if (end.outcome === 'superseded') {
      assert.equal(others.length, 1, 'only one of two attempts is superseded');
      entry.winner = others[0]?.key;
    } else if (end.outcome !== 'cancelled') {
      // If an attempt has sent no record, the changes do not show whether the attempt had started. The simulation
      // checks the losses of such attempts (test/simulation/queue-invariant.ts).
      const canBeQueued = end.outcome === 'failed' && end.failure.class === 'lost' && ended.lastSeq === 0;
      if (!canBeQueued || !free) {
        assert.equal(
          free,
          others.length > 0,
          'a failure is charged unless another attempt of its trial is running, or the failed attempt was queued',
        );
      }
    }
    if (end.outcome === 'returned') {
      assert.equal(ended.lastSeq, 0, 'an attempt is returned only before its first record');
    }
    if (end.outcome === 'stopped' && this.#sweep(key.sweepId).policy.trainer === 'command') {
      this.#closing.set(keyText(key), { ...ended });
    }
    if (end.outcome === 'succeeded' || end.outcome === 'stopped') {
      assert.equal(others.length, 0, 'an attempt ends with a result only if no other attempt of its trial is running');
      entry.succeededOn = agentId;
    }
    if (end.outcome !== 'failed') {
      assert.ok(!early, 'only a failed attempt can be marked as early');
      return;
    }
    const failure = end.failure.class;
    if (free && failure === 'lost') entry.freeLosses += 1;
    if (!free) entry.failures[failure] = (entry.failures[failure] ?? 0) + 1;
    if (early) {
      assert.ok(
        ['oom', 'crash', 'timeout', 'preflight'].includes(failure),
        `a failure of class ${failure} is never the fault of the machine`,
      );
      entry.earlyAgents.add(agentId);
      this.#earlyOn(key.sweepId, agentId).add(key.trialId);
    }
    entry.lastEarly = early;
    const agents = this.#agentsFor(this.#sweep(key.sweepId).policy).filter((id) => !entry.earlyAgents.has(id));
    const isElsewhere = agents.length > 0 && entry.earlyAgents.size < MAX_EARLY_AGENTS;
    const isFree = free || (early && (isElsewhere || this.#canBeMachines(key.sweepId, entry)));
    if (!isFree) entry.charged[failure] = (entry.charged[failure] ?? 0) + 1;
  }

  /**
   * Returns the agents that can run the trial, except agents that might be faulty and agents on which the trial failed
   * early.
   */
  agentsElsewhere({ sweepId, trialId }: Pick<AttemptKey, 'sweepId' | 'trialId'>): string[] {
    const { earlyAgents } = this.#entry({ sweepId, trialId });
    return this.#agentsFor(this.#sweep(sweepId).policy).filter(
      (id) => !earlyAgents.has(id) && !this.canBeFaulty(sweepId, id),
    );
  }

  /**
   * Whether the machine of the agent might be faulty: the agent is quarantined, or too many trials of the sweep failed
   * early on the agent.
   */
  canBeFaulty(sweepId: string, agentId: string): boolean {
    return this.quarantines.has(agentId) || this.#earlyOn(sweepId, agentId).size >= MIN_EARLY_TRIALS;
  }

  #earlyOn(sweepId: string, agentId: string): Set<string> {
    const name = `${sweepId}/${agentId}`;
    const known = this.#early.get(name) ?? new Set();
    this.#early.set(name, known);
    return known;
  }

  /**
   * Returns whether a faulty machine might be the cause of a trial's early failures. If so, the failures use no
   * retries. A faulty machine might be the cause if at least one agent on which the trial failed early might be faulty,
   * and at least one agent that can run the trial might be sound.
   */
  #canBeMachines(sweepId: string, { earlyAgents }: Entry): boolean {
    const canBeSound = this.#agentsFor(this.#sweep(sweepId).policy).some((id) => this.#canBeSound(sweepId, id));
    return canBeSound && [...earlyAgents].some((id) => this.canBeFaulty(sweepId, id));
  }

  /**
   * Whether the coordinator might consider the machine of the agent to be sound, because the agent is not quarantined
   * for the sweep. Even if many trials failed early on the agent, the coordinator may have counted only some of them:
   * all trials of a pack count as one trial, and a trial that also failed early on another agent may not count.
   */
  #canBeSound(sweepId: string, agentId: string): boolean {
    const quarantined = this.quarantines.get(agentId) ?? [];
    return quarantined.length < 2 && !quarantined.includes(sweepId);
  }

  /**
   * Records the start or the end of a quarantine. At the start, checks that enough of the trials that failed early on
   * the agent succeeded on other agents.
   */
  #quarantine({ agentId, quarantine }: Change & { kind: 'quarantine' }): void {
    const before = this.quarantines.get(agentId) ?? [];
    if (quarantine === undefined) {
      this.quarantines.delete(agentId);
      return;
    }
    for (const sweepId of quarantine.sweepIds) {
      if (before.includes(sweepId)) continue;
      const evidence = [...this.#earlyOn(sweepId, agentId)].filter((trialId) => {
        const { succeededOn } = this.#entry({ sweepId, trialId });
        return succeededOn !== undefined && succeededOn !== agentId;
      });
      assert.ok(
        evidence.length >= MIN_EARLY_TRIALS,
        `agent ${agentId} is quarantined, but only ${evidence.length} trials failed early on it and succeeded elsewhere`,
      );
    }
    this.quarantines.set(agentId, quarantine.sweepIds);
  }

  /** @throws {AssertionError} if the core's state differs from the copy, or is inconsistent */
  compare(core: Core): void {
    let running = 0;
    for (const sweep of core.sweeps.values()) {
      assert.equal(sweep.state, this.#sweep(sweep.id).state);
      assert.equal(sweep.priority, this.#sweep(sweep.id).priority);
      const tally = { pending: 0, offered: 0, running: 0, held: 0, succeeded: 0, stopped: 0, failed: 0, cancelled: 0 };
      const ended = { succeeded: 0, stopped: 0, failed: 0, cancelled: 0 };
      for (const [name, { state, dropped }] of this.trials) {
        if (!name.startsWith(`${sweep.id}/`)) continue;
        tally[state] += 1;
        if (dropped && isFinal(state)) ended[state] += 1;
        const isLive = state === 'pending' || state === 'offered' || state === 'running' || state === 'held';
        const isInMemory = sweep.trials.has(name.slice(sweep.id.length + 1));
        assert.ok(isInMemory || !isLive, `trial ${name} is ${state} and not in memory`);
        assert.ok(!isInMemory || isLive || this.#keepsEnded, `trial ${name} is ${state} and in memory`);
      }
      for (const trial of sweep.trials.values()) {
        const entry = this.#entry({ sweepId: sweep.id, trialId: trial.id });
        assert.equal(trial.state, entry.state);
        assert.equal(trial.attempts, entry.attempts);
        assert.deepEqual(trial.failures, entry.failures);
        assert.equal(trial.freeLosses, entry.freeLosses);
        assert.equal(trial.failure, entry.failure);
        // The checkpoint of a trial that has a result is not compared, because the store deletes it.
        if (trial.state !== 'succeeded' && trial.state !== 'stopped') {
          assert.equal(trial.checkpoint?.epoch, entry.checkpoint?.epoch);
          assert.equal(trial.checkpoint?.attempt, entry.checkpoint?.attempt);
        }
        assert.equal(
          trial.lease !== undefined,
          trial.state === 'running',
          'a trial has a lease if and only if it is running',
        );
        assert.equal(trial.speculated, entry.speculated, 'a trial records that it had a speculative attempt');
        assert.equal(entry.winner, undefined, 'the attempt that superseded another has ended');
        const isSpeculating = trial.speculation !== undefined || trial.speculativeOffer !== undefined;
        assert.equal(sweep.speculations.has(trial), isSpeculating, 'the sweep lists its speculations');
        for (const [lease, open] of [[trial.lease, entry.open] as const, [trial.speculation, entry.second] as const]) {
          assert.deepEqual(lease?.key, open?.key, 'the leases of a trial match its attempts');
          if (lease === undefined) continue;
          running += 1;
          assert.equal(core.leases.get(keyText(lease.key)), lease, 'the core lists the lease of every attempt');
          assert.equal(lease.lastSeq, open?.lastSeq, 'the newest record of a lease is the newest stored record');
        }
      }
      assert.deepEqual(sweep.counts, tally, 'the counts match the states');
      assert.deepEqual(sweep.dropped, ended, 'the counts of dropped trials match the states');
      const { concurrency = Number.POSITIVE_INFINITY } = sweep.policy;
      const seconds = [...sweep.speculations].filter(({ speculation }) => speculation !== undefined).length;
      const attempts = tally.offered + tally.running + seconds;
      assert.ok(attempts <= concurrency, 'the concurrency limit is respected');
    }
    assert.equal(core.leases.size, running, 'every lease has a running attempt');
    const quarantines = new Map([...core.quarantines].map(([id, { sweepIds }]) => [id, sweepIds]));
    assert.deepEqual(quarantines, this.quarantines, 'the quarantines match their changes');
    for (const sweep of core.sweeps.values()) this.#compareRecords(sweep);
    this.#compareSlots(core);
  }

  /**
   * Checks that the core and this copy agree on the early failures that count against each agent. These are the
   * failures since the agent's last success, except failures of trials whose final state is failed or cancelled.
   */
  #compareRecords(sweep: Sweep): void {
    const expected = new Map<string, Map<string, boolean>>();
    for (const [name, trialIds] of this.#early) {
      const [sweepId, agentId] = [name.slice(0, name.indexOf('/')), name.slice(name.indexOf('/') + 1)];
      if (sweepId !== sweep.id) continue;
      const counted = [...trialIds].filter((trialId) => {
        const { state, earlyAgents } = this.#entry({ sweepId, trialId });
        return state !== 'failed' && state !== 'cancelled' && earlyAgents.has(agentId);
      });
      const isRefuted = (trialId: string) => {
        const { succeededOn } = this.#entry({ sweepId, trialId });
        return succeededOn !== undefined && succeededOn !== agentId;
      };
      if (counted.length > 0) expected.set(agentId, new Map(counted.map((id) => [id, isRefuted(id)])));
    }
    const actual = new Map<string, Map<string, boolean>>();
    for (const [agentId, { failures }] of sweep.records) {
      if (failures.size > 0) actual.set(agentId, new Map([...failures].map(([id, { refuted }]) => [id, refuted])));
    }
    assert.deepEqual(actual, expected, 'the early failures of each agent match the attempts');
  }

  #compareSlots(core: Core): void {
    const slots = new Map<string, Map<number, Set<SlotUsage>>>();
    const ofUsages = new Map<SlotUsage, number>();
    const leases = new Map<string, Set<Lease>>();
    for (const lease of core.leases.values()) {
      const { agentId, slot } = lease;
      leases.set(agentId, (leases.get(agentId) ?? new Set()).add(lease));
      const own = slots.get(agentId) ?? new Map<number, Set<SlotUsage>>();
      slots.set(agentId, own.set(slot, (own.get(slot) ?? new Set()).add(lease.usage)));
      ofUsages.set(lease.usage, (ofUsages.get(lease.usage) ?? 0) + 1);
    }
    const inUse = [...core.slotsInUse].map(([id, own]) => [
      id,
      new Map([...own].map(([slot, usages]) => [slot, new Set(usages)])),
    ]);
    assert.deepEqual(new Map(inUse as [string, Map<number, Set<SlotUsage>>][]), slots, 'the slots match the leases');
    for (const [usage, count] of ofUsages) assert.equal(usage.leases, count, 'the usages count their leases');
    for (const { lastSeq, usage } of core.leases.values()) {
      if (lastSeq > 0) assert.notEqual(usage.startedAt, undefined, 'an attempt with records has started');
    }
    for (const { id, share } of core.sweeps.values()) {
      const own = [...ofUsages.keys()].filter(({ sweepId }) => sweepId === id);
      const queued = own.filter(({ startedAt }) => startedAt === undefined).length;
      assert.deepEqual(
        [share.queuedSlots, share.activeSlots],
        [queued, own.length - queued],
        'a sweep counts its queued and its running usages',
      );
    }
    assert.deepEqual(core.leasesByAgent, leases, 'the map of leases by agent contains exactly the leases');
  }

  #sweep(id: string) {
    const sweep = this.sweeps.get(id);
    assert.ok(sweep, `a change names sweep ${id}, which does not exist`);
    return sweep;
  }

  #entry({ sweepId, trialId }: { readonly sweepId: string; readonly trialId: string }): Entry {
    const entry = this.trials.get(`${sweepId}/${trialId}`);
    assert.ok(entry, `a change names trial ${sweepId}/${trialId}, which does not exist`);
    return entry;
  }

  #openAttempt(key: AttemptKey): OpenAttempt {
    const { open, second } = this.#entry(key);
    const found = [open, second].find((one) => one?.key.attempt === key.attempt);
    assert.ok(found, `${keyText(key)} is not running, and cannot change its trial`);
    return found;
  }
}
