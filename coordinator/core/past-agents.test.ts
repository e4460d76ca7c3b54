import { expect, test } from 'vitest';
import { addSweep, agentHello, emptyCore, LEASE_MS } from '../../test/support/coordinator/sample-core.ts';
import { displayedState, onHeartbeat, onHello } from './agents.ts';
import type { Core } from './model.ts';
import { AGENT_STORE_INTERVAL_MS, MAX_PAST_AGENTS, onDisconnect } from './past-agents.ts';
import { schedule } from './scheduler.ts';
import type { Step } from './step.ts';
import { onTick } from './tick.ts';

const ONE = { agentId: 'one', incarnation: 'i' };
const beat = (leaving: boolean) => ({ ...ONE, held: [], leaving });

function coreWithAgent(): Core {
  const core = emptyCore();
  onHello(core, agentHello('one', 'i', 2), 0);
  return core;
}

function shown(core: Core): string | undefined {
  const agent = core.agents.get('one');
  return agent && displayedState(core, agent);
}

const storedStates = ({ changes }: Step) =>
  changes.flatMap((change) => (change.kind === 'agent' ? [change.facts?.state] : []));

test('an agent that shuts down has left, whether its last heartbeat or the end of its stream arrives first', () => {
  const first = coreWithAgent();
  expect(storedStates(onHeartbeat(first, beat(true), 1_000))).toEqual([]);
  expect(storedStates(onDisconnect(first, ONE))).toEqual(['left']);
  expect(shown(first)).toBe('left');

  const second = coreWithAgent();
  expect(storedStates(onDisconnect(second, ONE))).toEqual([]);
  expect(shown(second)).toBe('connected');
  expect(storedStates(onHeartbeat(second, beat(true), 1_000))).toEqual(['left']);
  expect(shown(second)).toBe('left');
  onTick(second, 10 * LEASE_MS);
  expect(shown(second)).toBe('left');
});

test('an agent that is killed is lost after one lease duration, even if it was idle', () => {
  const core = coreWithAgent();
  onHeartbeat(core, beat(false), 1_000);
  onDisconnect(core, ONE);
  expect(storedStates(onTick(core, LEASE_MS + 1_000))).toEqual([]);
  expect(storedStates(onTick(core, LEASE_MS + 1_001))).toEqual(['lost']);
  expect(shown(core)).toBe('lost');
  expect(storedStates(onHeartbeat(core, beat(false), LEASE_MS + 2_000))).toEqual(['connected']);
  expect(shown(core)).toBe('connected');
});

test('the end of a stream of an earlier process does not change the state of its successor', () => {
  const core = coreWithAgent();
  onHello(core, agentHello('one', 'j', 2), 10);
  expect(onDisconnect(core, ONE).changes).toEqual([]);
  onHeartbeat(core, { ...beat(true), incarnation: 'j' }, 20);
  expect(shown(core)).not.toBe('left');
});

test('an agent that returns after it left is connected, and receives offers', () => {
  const core = coreWithAgent();
  addSweep(core, '1', 2);
  onHeartbeat(core, beat(true), 1_000);
  onDisconnect(core, ONE);
  expect(schedule(core, 1_001).outputs).toEqual([]);
  expect(storedStates(onHello(core, agentHello('one', 'j', 2), 2_000))).toEqual(['connected']);
  expect(shown(core)).toBe('connected');
  expect(schedule(core, 2_001).outputs.filter(({ kind }) => kind === 'offer')).toHaveLength(2);
});

test('the time of the last message of an agent is stored once per interval', () => {
  const core = coreWithAgent();
  const times: number[] = [];
  for (let now = 0; now <= 3 * AGENT_STORE_INTERVAL_MS; now += 1_000) {
    onHeartbeat(core, beat(false), now);
    for (const change of onTick(core, now).changes) {
      if (change.kind === 'agent') times.push(change.facts?.lastHeardAt ?? -1);
    }
  }
  expect(times).toEqual([1, 2, 3].map((n) => n * AGENT_STORE_INTERVAL_MS));
});

test('at most MAX_PAST_AGENTS disconnected agents are kept, and the oldest agents without a drain are removed', () => {
  const core = emptyCore();
  const facts = {
    instance: 'f',
    location: '',
    host: 'h',
    version: '1',
    slots: 1,
    backend: 'wasm',
    gpus: [],
    connectedAt: 0,
  };
  for (let n = 0; n < MAX_PAST_AGENTS + 3; n++) {
    core.pastAgents.set(`p${n}`, { ...facts, state: 'lost', lastHeardAt: n });
  }
  core.drains.set('p1', { graceEndsAt: 0, storedAt: 0, reason: '', by: '', since: 0 });
  const forgotten = onTick(core, 1).changes.flatMap((change) => (change.kind === 'agent' ? [change] : []));
  expect(forgotten).toEqual(['p0', 'p2', 'p3'].map((agentId) => ({ kind: 'agent', agentId, facts: undefined })));
  expect(core.pastAgents.size).toBe(MAX_PAST_AGENTS);
  expect(onTick(core, 2).changes).toEqual([]);
});
