import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { FailureClassName } from '../../proto/names.ts';
import { budget } from '../../test/support/coordinator/budget.ts';
import {
  AGENT_IDS,
  anyAction,
  anyPolicy,
  type HistoryAction,
  type HistoryResult,
  World,
} from '../../test/support/coordinator/history.ts';
import { Ledger } from '../../test/support/coordinator/ledger.ts';
import { LEASE_MS } from '../../test/support/coordinator/sample-core.ts';
import { propertyRuns } from '../../test/support/property-runs.ts';
import type { Lease } from './attempt-model.ts';
import type { Claim, GrantedAttempt } from './attempts.ts';
import { shortfallsOf } from './fitness.ts';
import type { SweepPolicy } from './policy.ts';
import { capabilityOf, presentPools } from './pools.ts';
import { openOffers } from './scheduler.ts';

const TRIALS = 5;
const FINAL = ['succeeded', 'stopped', 'failed', 'cancelled'];
/** The maximum number of rounds without faults; enough for every trial to use up all of its retry budgets. */
const ROUNDS = 400;

function fingerprint({ core, ended }: World): string {
  const sweeps = [...core.sweeps.values(), ...ended.values()].map((sweep) => [
    sweep.state,
    sweep.counts,
    [...sweep.trials.values()],
  ]);
  return JSON.stringify([sweeps, [...core.leases], [...core.agents], [...core.drains]]);
}

class Judge {
  readonly world: World;
  readonly ledger: Ledger;

  constructor(policies: readonly SweepPolicy[], trials = TRIALS) {
    this.world = new World(policies, trials);
    this.ledger = new Ledger(() => AGENT_IDS, this.world.core);
  }

  apply(action: HistoryAction): HistoryResult {
    const { core } = this.world;
    const before = fingerprint(this.world);
    const leases = new Map(core.leases);
    const happened = this.world.apply(action);
    for (const change of happened.step.changes) this.ledger.write(change);
    this.ledger.compare(core);
    this.#retriesWithinBudget();
    this.#placementsFit(happened);
    this.#rejectionsChangeNothing(happened, before);
    this.#onlyHoldersAct(happened, leases);
    this.#speculationUsesIdleSlots(happened);
    this.#retriesAllOrNothing(action, happened);
    this.world.removeEnded();
    return happened;
  }

  #retriesWithinBudget(): void {
    for (const [name, trial] of this.ledger.trials) {
      const policy = this.ledger.sweeps.get(name.split('/')[0] ?? '')?.policy;
      for (const [failure, times] of Object.entries(trial.charged) as [FailureClassName, number][]) {
        assert.ok(policy && times <= budget(failure, policy), `${name}: ${failure} ${times} times`);
        if (policy && times === budget(failure, policy))
          assert.ok(FINAL.includes(trial.state), 'a trial that has used all its retries has ended');
      }
    }
  }

  #retriesAllOrNothing(action: HistoryAction, { step, refused }: HistoryResult): void {
    const retried = step.changes.flatMap((change) => (change.kind === 'retried' ? change : []));
    assert.ok(action.do === 'retry' || retried.length === 0, 'trials are retried only by a retry action');
    if (action.do === 'retry' && 'trials' in action.choice && refused === undefined) {
      const names = new Set(action.choice.trials);
      assert.deepEqual(new Set(retried.map(({ trialId }) => trialId)), names, 'all named trials are retried');
    }
    assert.ok(new Set(retried.map(({ requestId }) => requestId)).size <= 1);
    const ids = [...this.world.core.sweeps.keys()];
    assert.deepEqual(ids, [...ids].sort(), 'sweeps stay in order of submission');
  }

  /** Checks that trials are offered and granted only to slots that meet their demands. */
  #placementsFit({ step }: HistoryResult): void {
    const { core } = this.world;
    const pools = presentPools(core);
    for (const output of step.outputs) {
      if (output.kind !== 'offer') continue;
      const pool = pools.get(output.pool);
      const policy = this.ledger.sweeps.get(output.key.sweepId)?.policy;
      assert.ok(pool && policy, 'an offer is made to a pool with an agent that takes work');
      assert.deepEqual(shortfallsOf(policy, pool.capability), []);
    }
    for (const change of step.changes) {
      if (change.kind !== 'granted') continue;
      const agent = core.agents.get(change.agentId);
      const policy = this.ledger.sweeps.get(change.key.sweepId)?.policy;
      assert.ok(agent && policy);
      assert.deepEqual(shortfallsOf(policy, capabilityOf(agent, change.slot)), []);
    }
  }

  /**
   * Checks that no pending trial of the same or a higher priority could have used the slot of a speculative attempt.
   */
  #speculationUsesIdleSlots({ step }: HistoryResult): void {
    const { core, now } = this.world;
    for (const change of step.changes) {
      if (change.kind !== 'granted' || !change.speculative) continue;
      const agent = core.agents.get(change.agentId);
      const priority = core.sweeps.get(change.key.sweepId)?.priority ?? 0;
      for (const sweep of core.sweeps.values()) {
        if (sweep.state !== 'running' || sweep.priority < priority || sweep.policy.concurrency !== undefined) continue;
        const fits = agent && shortfallsOf(sweep.policy, capabilityOf(agent, change.slot)).length === 0;
        const isSound = !sweep.records.get(change.agentId)?.failures.size && !core.quarantines.has(change.agentId);
        if (!fits || !isSound) continue;
        const waiting = [...sweep.trials.values()].filter(
          ({ state, readyAt, failedAttempts }) => state === 'pending' && readyAt <= now && failedAttempts.length === 0,
        );
        assert.equal(waiting.length, 0, 'a speculative attempt uses a slot that no pending trial can use');
      }
    }
  }

  #rejectionsChangeNothing({ step, opened, recorded, refused }: HistoryResult, before: string): void {
    const { core } = this.world;
    if (opened?.answer.granted) {
      const lease = core.leases.get(keyText(opened.claim.key));
      assert.equal(lease?.agentId, opened.claim.agentId, 'the agent of a granted claim holds the lease');
      assert.equal(lease.incarnation, opened.claim.incarnation);
      this.#packIsValid(opened.claim, opened.answer.mates);
    }
    const rejected =
      opened?.answer.granted === false || recorded?.answer.result === 'rejected' || refused !== undefined;
    if (rejected) {
      assert.equal(step.changes.length, 0, 'a rejected message changes nothing');
      assert.equal(fingerprint(this.world), before, 'a rejected message changes nothing');
    }
    if (recorded?.answer.result === 'duplicate' || recorded?.answer.result === 'gap')
      assert.equal(step.changes.length, 0);
  }

  /** Checks that pack mates have the same pack key, are leased to the same slot, and do not exceed its capacity. */
  #packIsValid({ key, agentId, slot }: Claim, mates: readonly GrantedAttempt[]): void {
    const { core } = this.world;
    const trialOf = ({ sweepId, trialId }: AttemptKey) => core.sweeps.get(sweepId)?.trials.get(trialId);
    assert.ok(mates.length < (core.agents.get(agentId)?.pack ?? 1), 'a pack does not exceed the capacity of its slot');
    for (const mate of mates) {
      assert.equal(mate.key.sweepId, key.sweepId);
      assert.notEqual(trialOf(key)?.packKey, undefined);
      assert.equal(trialOf(mate.key)?.packKey, trialOf(key)?.packKey, 'pack mates have the same pack key');
      const lease = core.leases.get(keyText(mate.key));
      assert.deepEqual([lease?.agentId, lease?.slot], [agentId, slot], 'pack mates share a slot');
    }
  }

  #onlyHoldersAct({ step, recorded, heartbeat }: HistoryResult, leases: Map<string, Lease>): void {
    if (recorded !== undefined && recorded.answer.result !== 'rejected') {
      assert.equal(
        leases.get(keyText(recorded.record.key))?.agentId,
        recorded.agentId,
        'only records of the lease holder are accepted',
      );
    }
    if (heartbeat === undefined) return;
    for (const change of step.changes) {
      if (change.kind !== 'ended') continue;
      const lease = leases.get(keyText(change.key));
      assert.equal(lease?.agentId, heartbeat.agentId, 'a heartbeat ends only attempts of its own agent');
      assert.notEqual(lease.incarnation, heartbeat.incarnation, 'a heartbeat ends only attempts of other incarnations');
    }
  }

  /**
   * Ends all faults, and runs calm rounds until all sweeps have ended. In a calm round, agents renew their leases, and
   * every attempt succeeds.
   */
  finishWithoutFaults(): void {
    const { core } = this.world;
    for (const agent of AGENT_IDS.keys()) {
      this.apply({ do: 'undrain', agent });
      this.apply({ do: 'hello', agent });
    }
    for (let round = 0; core.sweeps.size > 0; round++) {
      assert.ok(round < ROUNDS, 'the sweeps end');
      this.#calmRound();
    }
    for (const trial of this.ledger.trials.values()) {
      assert.ok(FINAL.includes(trial.state), `a trial ended in state ${trial.state}`);
      assert.equal(trial.open, undefined);
    }
    assert.equal(core.leases.size, 0);
  }

  #calmRound(): void {
    const { core } = this.world;
    for (const pick of [0, 1]) {
      if (core.sweeps.get(`${pick + 1}`)?.state === 'paused') this.apply({ do: 'resume', pick });
    }
    for (let wait = 0; wait < 2; wait++) {
      for (const agent of AGENT_IDS.keys()) this.apply({ do: 'heartbeat', agent });
      this.apply({ do: 'tick', ms: LEASE_MS - 1 });
    }
    this.apply({ do: 'schedule' });
    for (const { pool, key } of openOffers(core)) {
      const pick = this.world.offers.findLastIndex((offer) => keyText(offer) === keyText(key));
      const agent = AGENT_IDS.findIndex((id) => core.agents.get(id)?.pools.includes(pool));
      this.apply({ do: 'open', agent, pick, shift: 0 });
    }
    while (core.leases.size > 0) {
      this.apply({ do: 'record', agent: AGENT_IDS.length, pick: 0, shift: 0, body: 'succeeded' });
    }
  }
}

const anyHistory = fc.tuple(
  fc.tuple(anyPolicy, anyPolicy),
  fc.array(anyAction, { minLength: 20, maxLength: 250, size: 'max' }),
);

test('every invariant holds after each step of any history, and each trial reaches one final state once faults end', {
  timeout: 180_000,
}, () => {
  fc.assert(
    fc.property(anyHistory, ([policies, actions]) => {
      const judge = new Judge(policies);
      for (const action of actions) judge.apply(action);
      judge.finishWithoutFaults();
    }),
    { numRuns: propertyRuns(300) },
  );
});

test('the generated histories contain every failure, and every rejection except that of an oversized record', {
  timeout: 180_000,
}, () => {
  const reached = new Set<string>();
  fc.assert(
    fc.property(anyHistory, ([policies, actions]) => {
      const judge = new Judge(policies);
      for (const action of actions) {
        const { step, opened, recorded } = judge.apply(action);
        if (opened && !opened.answer.granted) reached.add(`open refused: ${opened.answer.refusal.code}`);
        if (opened?.answer.granted) reached.add(step.changes.length > 0 ? 'granted' : 'granted again');
        if (opened?.answer.granted && opened.answer.mates.length > 0) {
          reached.add(step.changes.length > 0 ? 'pack granted' : 'pack granted again');
        }
        if (recorded) reached.add(`record ${recorded.answer.result}`);
        if (recorded?.answer.result === 'rejected') reached.add(`record rejected: ${recorded.answer.refusal.code}`);
        for (const change of step.changes) {
          if (change.kind === 'trial') reached.add(change.state);
          if (change.kind === 'sweep') reached.add(`sweep ${change.state}`);
          if (change.kind === 'retried') {
            reached.add(`retried: ${change.failure ?? 'cancelled'}`);
            if (step.changes[0]?.kind === 'sweep') reached.add('retried after its sweep had ended');
          }
          if (change.kind === 'ended' && change.end.outcome === 'failed') reached.add(change.end.failure.class);
        }
      }
    }),
    { numRuns: 140, seed: 1 },
  );
  // Only an oversized record exceeds a limit of an attempt, and the generated histories contain no oversized record.
  // STOPPED never answers a claim: this code is sent only with an order to stop a program.
  const { UNSPECIFIED: _, UNRECOGNIZED: __, LIMIT_EXCEEDED: ___, STOPPED: ____, ...codes } = RefusalCode;
  const wanted = [
    ...Object.values(codes).map((code) => `open refused: ${code}`),
    ...['UNKNOWN', 'SUPERSEDED', 'ENDED'].map((code) => `record rejected: REFUSAL_CODE_${code}`),
    'retried after its sweep had ended',
    ...[
      'granted',
      'granted again',
      'pack granted',
      'pack granted again',
      'record accepted',
      'record duplicate',
      'record gap',
    ],
    ...['pending', 'offered', ...FINAL],
    ...['sweep paused', 'sweep running', 'sweep stopping', 'sweep stopped', 'sweep killed', 'sweep finished'],
    ...['oom', 'nan', 'crash', 'lost', 'timeout', 'preflight', 'rejected', 'drained'],
    ...['nan', 'crash', 'rejected', 'cancelled'].map((why) => `retried: ${why}`),
  ];
  expect(wanted.filter((what) => !reached.has(what))).toEqual([]);
});

/** The policy and the actions of a history in which stragglers are run a second time. */
const anySpeculation = fc.tuple(
  anyPolicy.map((policy): SweepPolicy => {
    return { ...policy, speculate: true, resources: { labels: {} }, timeoutMs: undefined };
  }),
  fc.array(anyAction, { minLength: 20, maxLength: 120, size: 'max' }),
  fc.array(fc.nat({ max: AGENT_IDS.length - 1 }), { minLength: 2, maxLength: 2 }),
);

/** Returns actions with which the given agents start the trials of both sweeps. The attempts then become stragglers. */
function stragglerActions(agents: readonly number[]): HistoryAction[] {
  const heartbeats = AGENT_IDS.map((_, agent): HistoryAction => ({ do: 'heartbeat', agent }));
  return [
    ...AGENT_IDS.map((_, agent): HistoryAction => ({ do: 'hello', agent })),
    { do: 'schedule' },
    ...agents.map((agent, pick): HistoryAction => ({ do: 'open', agent, pick, shift: 0 })),
    ...[...heartbeats, { do: 'tick', ms: 4_000 } as const],
    ...[...heartbeats, { do: 'tick', ms: 4_000 } as const],
    { do: 'schedule' },
  ];
}

test('every invariant holds while trials have two attempts, and every trial reaches one final state', {
  timeout: 180_000,
}, () => {
  const reached = new Map<string, number>();
  fc.assert(
    fc.property(anySpeculation, ([policy, actions, agents]) => {
      const judge = new Judge([policy, policy], 1);
      const judged = [...stragglerActions(agents), ...actions].flatMap((action) => judge.apply(action).step.changes);
      judge.finishWithoutFaults();
      for (const change of judged) {
        const what = [
          ...(change.kind === 'granted' && change.speculative ? ['granted'] : []),
          ...(change.kind === 'ended' && change.end.outcome === 'superseded' ? ['superseded'] : []),
          ...(change.kind === 'ended' && change.free ? ['a free failure'] : []),
          ...(change.kind === 'promoted' ? ['promoted'] : []),
        ];
        for (const one of what) reached.set(one, (reached.get(one) ?? 0) + 1);
      }
    }),
    { numRuns: propertyRuns(140), seed: 1 },
  );
  expect([...reached.keys()].sort()).toEqual(['a free failure', 'granted', 'promoted', 'superseded']);
});
