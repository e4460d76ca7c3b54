import { expect, test } from 'vitest';
import { addSweep, agentHello, emptyCore } from '../../test/support/coordinator/sample-core.ts';
import { onHello } from './agents.ts';
import { blockedReason } from './blocked.ts';
import { onDrain } from './drain.ts';
import type { Resources } from './policy.ts';
import { onPause } from './sweeps.ts';

const GIB = 2 ** 30;

/** Returns a core with one sweep and, unless `agents` is 0, one agent that has GPUs of 16 GiB. */
function coreWith(resources: Partial<Resources>, agents = 1) {
  const core = emptyCore();
  addSweep(core, '1', 2, { resources: { labels: {}, ...resources } });
  const slotFacts = [1, 1].map((gpus) => ({ gpus, vramBytes: 16 * GIB }));
  if (agents > 0)
    onHello(core, { ...agentHello('a', 'a1', 2), backend: 'tensorflow-gpu', slotFacts, labels: { zone: 'b' } }, 0);
  return core;
}

test.each<[Partial<Resources>, string]>([
  [{ vramBytes: 200 * GIB }, 'no agent has 200 GiB of GPU memory'],
  [{ gpu: 4 }, 'no agent has a slot with 4 GPUs'],
  [{ gpu: false }, 'no agent has a slot without GPUs'],
  [{ labels: { zone: 'a' } }, 'no agent has the label zone=a'],
  [{ vramBytes: 16 * GIB }, ''],
])('with the requirements %o, the reason why the sweep is blocked is "%s"', (resources, reason) => {
  expect(blockedReason(coreWith(resources), '1')).toBe(reason);
});

test('a sweep is blocked if no agent takes work', () => {
  expect(blockedReason(coreWith({}, 0), '1')).toBe('no agent is connected');
  const drained = coreWith({});
  onDrain(drained, { agentId: 'a', graceMs: 0, reason: '' }, 0);
  expect(blockedReason(drained, '1')).toBe('no connected agent takes work');
});

test('a paused or unknown sweep is not blocked', () => {
  const core = coreWith({ gpu: 4 });
  onPause(core, { sweepId: '1', reason: '' });
  expect([blockedReason(core, '1'), blockedReason(core, '9')]).toEqual(['', '']);
});

test('if no further trials of a sweep can be created, the sweep is blocked once none of its trials is pending', () => {
  const core = coreWith({});
  const sweep = addSweep(core, '2', 0);
  const state = { search: 0, created: 0, points: 0, excluded: [], duplicates: 0, repeated: 0 };
  const problem = 'this version of trawl rejects its sweep file: x';
  sweep.search = {
    source: { usesResults: false, problem, prepare: async () => {}, next: () => ({ kind: 'wait' }) },
    state,
  };
  expect(blockedReason(core, '2')).toBe(problem);
});
