/** An independent record of a core's state, rebuilt from its changes and checked with each of them. */

import { strict as assert } from 'node:assert';
import { type Core, isEnded, type Sweep, type SweepPolicy } from '../../../coordinator/core/model.ts';
import type { Change } from '../../../coordinator/core/step.ts';
import { type AttemptKey, keyText } from '../../../lib/domain/attempt-key.ts';
import type { FailureClassName, TrialStateName } from '../../../proto/names.ts';

const TRANSITIONS: Readonly<Record<TrialStateName, readonly TrialStateName[]>> = {
  pending: ['offered', 'cancelled'],
  offered: ['running', 'pending', 'cancelled'],
  running: ['pending', 'succeeded', 'stopped', 'failed', 'cancelled'],
  succeeded: [],
  stopped: [],
  failed: [],
  cancelled: [],
};

interface Entry {
  state: TrialStateName;
  attempts: number;
  /** The running attempt and its newest record. */
  open: { readonly key: AttemptKey; lastSeq: number } | undefined;
  /** Failures per class since the last retry. */
  failures: Partial<Record<FailureClassName, number>>;
  /** The class of the failure that led to the current state. */
  failure: FailureClassName | undefined;
  /** The newest stored checkpoint. */
  checkpoint: { readonly attempt: number; readonly epoch: number } | undefined;
}

export class Ledger {
  readonly trials = new Map<string, Entry>();
  readonly sweeps = new Map<
    string,
    { state: Sweep['state']; priority: number; readonly policy: SweepPolicy; readonly warnings: Set<string> }
  >();

  constructor(core?: Core) {
    for (const sweep of core?.sweeps.values() ?? []) this.addSweep(sweep);
  }

  /** Adds a sweep in its initial state, regardless of its current state in memory. */
  addSweep(sweep: Sweep): void {
    this.sweeps.set(sweep.id, {
      state: 'running',
      priority: sweep.priority,
      policy: sweep.policy,
      warnings: new Set(),
    });
    for (const trial of sweep.trials.values()) {
      this.trials.set(`${sweep.id}/${trial.id}`, {
        state: 'pending',
        attempts: 0,
        open: undefined,
        failures: {},
        failure: undefined,
        checkpoint: undefined,
      });
    }
  }

  /** Applies a change. @throws {AssertionError} if the change is not permitted */
  write(change: Change): void {
    switch (change.kind) {
      case 'sweep': {
        const sweep = this.#sweep(change.sweepId);
        if (isEnded(sweep.state)) assert.equal(change.state, 'running', 'an ended sweep can only change to running');
        sweep.state = change.state;
        break;
      }
      case 'trial': {
        const entry = this.#entry(change);
        assert.ok(
          TRANSITIONS[entry.state].includes(change.state),
          `a trial changed from ${entry.state} to ${change.state}`,
        );
        if (change.state === 'offered') {
          assert.equal(this.#sweep(change.sweepId).state, 'running', 'only trials of a running sweep are offered');
        }
        assert.equal(entry.open, undefined, `a trial became ${change.state} before its attempt ended`);
        entry.state = change.state;
        entry.failure = change.failure?.class;
        break;
      }
      case 'drain':
        break;
      case 'retried': {
        const entry = this.#entry(change);
        assert.ok(['failed', 'cancelled'].includes(entry.state), `a ${entry.state} trial was retried`);
        assert.ok(
          ['running', 'paused'].includes(this.#sweep(change.sweepId).state),
          'a retry requires a running or paused sweep',
        );
        assert.equal(change.attempts, entry.attempts, 'a retry continues the attempt numbers');
        assert.equal(change.failure, entry.failure, 'a retry records the failure of its trial');
        if (change.failure === 'nan') entry.checkpoint = undefined;
        assert.equal(change.resumesFrom, entry.checkpoint?.epoch ?? 0, 'an attempt resumes from the newest checkpoint');
        entry.state = 'pending';
        entry.failures = {};
        entry.failure = undefined;
        break;
      }
      case 'priority':
        assert.equal(
          this.#sweep(change.sweepId).priority,
          change.before,
          'a priority change starts from the current priority',
        );
        this.#sweep(change.sweepId).priority = change.priority;
        break;
      case 'granted': {
        const entry = this.#entry(change.key);
        assert.equal(this.#sweep(change.key.sweepId).state, 'running', 'only trials of a running sweep are granted');
        assert.equal(entry.open, undefined, 'a trial has at most one running attempt');
        assert.equal(entry.state, 'offered', 'only offered trials are granted');
        assert.equal(change.key.attempt, entry.attempts + 1, 'attempts are numbered without gaps');
        assert.equal(change.resumedFrom, entry.checkpoint?.epoch ?? 0, 'an attempt resumes from the newest checkpoint');
        entry.state = 'running';
        entry.failure = undefined;
        entry.attempts += 1;
        entry.open = { key: change.key, lastSeq: 0 };
        break;
      }
      case 'ended': {
        const entry = this.#openEntry(change.key);
        if (change.end.outcome === 'failed') {
          const failure = change.end.failure.class;
          entry.failures[failure] = (entry.failures[failure] ?? 0) + 1;
        }
        this.#entry(change.key).open = undefined;
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
      case 'notice':
      case 'report':
      case 'log':
      case 'artifact': {
        const { open } = this.#openEntry(change.key);
        assert.equal(change.seq, open.lastSeq + 1, 'records are numbered without gaps');
        open.lastSeq = change.seq;
        if (change.kind === 'artifact' && change.artifact.kind === 'checkpoint') {
          this.#entry(change.key).checkpoint = { attempt: change.key.attempt, epoch: change.artifact.epoch };
        }
        break;
      }
    }
  }

  /** @throws {AssertionError} if the core differs from its changes, or is inconsistent */
  compare(core: Core): void {
    let running = 0;
    for (const sweep of core.sweeps.values()) {
      assert.equal(sweep.state, this.#sweep(sweep.id).state);
      assert.equal(sweep.priority, this.#sweep(sweep.id).priority);
      const tally = { pending: 0, offered: 0, running: 0, succeeded: 0, stopped: 0, failed: 0, cancelled: 0 };
      for (const trial of sweep.trials.values()) {
        const entry = this.#entry({ sweepId: sweep.id, trialId: trial.id });
        tally[trial.state] += 1;
        assert.equal(trial.state, entry.state);
        assert.equal(trial.attempts, entry.attempts);
        assert.deepEqual(trial.failures, entry.failures);
        assert.equal(trial.failure, entry.failure);
        // The store deletes the checkpoint of a succeeded trial.
        if (trial.state !== 'succeeded') {
          assert.equal(trial.checkpoint?.epoch, entry.checkpoint?.epoch);
          assert.equal(trial.checkpoint?.attempt, entry.checkpoint?.attempt);
        }
        assert.equal(
          trial.lease !== undefined,
          trial.state === 'running',
          'a trial has a lease if and only if it is running',
        );
        if (trial.lease === undefined) continue;
        running += 1;
        assert.equal(core.leases.get(keyText(trial.lease.key)), trial.lease, 'the core lists the lease of every trial');
        assert.deepEqual(trial.lease.key, entry.open?.key);
        assert.equal(trial.lease.lastSeq, entry.open?.lastSeq, 'the newest record of a lease is stored');
      }
      assert.deepEqual(sweep.counts, tally, 'the counts match the states');
      const { concurrency = Number.POSITIVE_INFINITY } = sweep.policy;
      assert.ok(tally.offered + tally.running <= concurrency, 'the concurrency limit is respected');
    }
    assert.equal(core.leases.size, running, 'every lease has a running trial');
    this.#compareSlots(core);
  }

  #compareSlots(core: Core): void {
    const slots = new Map<string, Map<number, number>>();
    for (const { agentId, slot } of core.leases.values()) {
      const own = slots.get(agentId) ?? new Map<number, number>();
      slots.set(agentId, own.set(slot, (own.get(slot) ?? 0) + 1));
    }
    assert.deepEqual(core.slotsInUse, slots, 'the slots in use match the leases');
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

  #openEntry(key: AttemptKey): Entry & { open: NonNullable<Entry['open']> } {
    const entry = this.#entry(key);
    assert.deepEqual(entry.open?.key, key, 'only the running attempt can change its trial');
    return entry as Entry & { open: NonNullable<Entry['open']> };
  }
}
