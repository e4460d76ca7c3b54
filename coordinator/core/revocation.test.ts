import { expect, test } from 'vitest';
import { addSweep, agentHello, emptyCore, LEASE_MS, sampleKey } from '../../test/support/coordinator/sample-core.ts';
import { onHeartbeat, onHello, onRevoked } from './agents.ts';
import { onOpen } from './attempts.ts';
import { idConflict } from './id-conflict.ts';
import { schedule } from './scheduler.ts';
import { onTick } from './tick.ts';

/** A core in which agents `a` and `b` each run a trial. */
function runningCore() {
  const core = emptyCore();
  const sweep = addSweep(core, '1', 2);
  for (const id of ['a', 'b']) onHello(core, agentHello(id, `${id}1`, 1), 0);
  schedule(core, 0);
  const keys = [...sweep.trials.values()].map((trial) => sampleKey(sweep, trial));
  for (const [at, key] of keys.entries()) {
    const agentId = at === 0 ? 'a' : 'b';
    expect(onOpen(core, { key, agentId, incarnation: `${agentId}1`, slot: 0 }, 0).answer.granted).toBe(true);
  }
  const [ofA, ofB] = keys;
  if (ofA === undefined || ofB === undefined) throw new Error('the test expects two trials');
  return { core, sweep, ofA, ofB };
}

test('the attempts of a revoked agent are lost at once, and their trials are pending again', () => {
  const { core, sweep, ofA } = runningCore();
  const { changes } = onRevoked(core, 'a', 1_000);
  expect(changes).toContainEqual(
    expect.objectContaining({
      kind: 'ended',
      key: ofA,
      end: { outcome: 'failed', failure: { class: 'lost', message: 'the identity of agent a was revoked' } },
    }),
  );
  expect(changes).toContainEqual(
    expect.objectContaining({ kind: 'agent', agentId: 'a', facts: expect.objectContaining({ state: 'lost' }) }),
  );
  expect([...core.leases.values()].map(({ agentId }) => agentId)).toEqual(['b']);
  expect(sweep.trials.get(ofA.trialId)?.state).toBe('pending');
});

test('heartbeats of a revoked agent renew no lease, and the agent stays lost', () => {
  const { core, ofA, ofB } = runningCore();
  onRevoked(core, 'a', 1_000);
  const stolen = { agentId: 'a', incarnation: 'a1', held: [ofA, ofB], claimed: [ofA], leaving: false };
  expect(onHeartbeat(core, stolen, 2_000).changes).toEqual([]);
  expect(core.agents.has('a')).toBe(false);
  onTick(core, LEASE_MS);
  expect([...core.leases.values()].map(({ key }) => key)).toEqual([]);
});

test('a revoked agent that connects with a new identity can run trials again', () => {
  const { core, sweep, ofA } = runningCore();
  onRevoked(core, 'a', 1_000);
  const again = { ...agentHello('a', 'a2', 1), instance: 'another folder' };
  expect(idConflict(core, again, 2_000)).toBeUndefined();
  onHello(core, again, 2_000);
  schedule(core, 2_000);
  const trial = sweep.trials.get(ofA.trialId);
  if (trial === undefined) throw new Error('the test expects the trial to exist');
  const claim = { key: sampleKey(sweep, trial), agentId: 'a', incarnation: 'a2', slot: 0 };
  expect(onOpen(core, claim, 2_000).answer.granted).toBe(true);
});

test('a heartbeat that another process sends with the id of an agent does not end attempts of the agent', () => {
  const { core, ofA } = runningCore();
  const other = { agentId: 'a', incarnation: 'guessed', held: [ofA], leaving: false };
  expect(onHeartbeat(core, other, 1_000)).toMatchObject({ changes: [], outputs: [] });
  expect(core.leases.size).toBe(2);
});
