import { expect, test } from 'vitest';
import { addSweep, agentHello, emptyCore } from '../../test/support/coordinator/sample-core.ts';
import { onHello } from '../core/agents.ts';
import type { Core, Sweep } from '../core/model.ts';
import { schedule } from '../core/scheduler.ts';
import { onPause } from '../core/sweeps.ts';
import { slotShareOf } from './slot-share.ts';

const NOW = 1_000;

/** A core with 8 slots, and sweeps with 20 pending trials each. */
function coreWith(
  sweeps: readonly { readonly priority?: number; readonly weight?: number; readonly concurrency?: number }[],
) {
  const core = emptyCore();
  onHello(core, agentHello('a', 'a1', 8), NOW);
  const added = sweeps.map(({ priority = 0, weight = 1, concurrency }, at) => {
    const sweep = addSweep(core, `${at + 1}`, 20);
    sweep.priority = priority;
    sweep.policy = { ...sweep.policy, weight, concurrency };
    return sweep;
  });
  schedule(core, NOW);
  return { core, added };
}

const shares = ({ core, added }: { readonly core: Core; readonly added: readonly Sweep[] }) =>
  added.map((sweep) => slotShareOf(core, sweep, () => 5_000));

test('a single sweep gets all slots, up to its concurrency', () => {
  expect(shares(coreWith([{}]))).toEqual([{ slots: 8, waitMs: 0 }]);
  expect(shares(coreWith([{ concurrency: 3 }]))).toEqual([{ slots: 3, waitMs: 0 }]);
});

test('sweeps of one priority share the slots by weight, and each of them gets at least one slot', () => {
  expect(shares(coreWith([{ weight: 3 }, {}])).map((share) => share?.slots)).toEqual([6, 2]);
  expect(shares(coreWith([{ weight: 100 }, {}])).map((share) => share?.slots)).toEqual([8, 1]);
});

test('a sweep waits until sweeps of higher priority end, unless the concurrency limits of those sweeps leave slots free', () => {
  expect(shares(coreWith([{ priority: 1 }, {}]))).toEqual([
    { slots: 8, waitMs: 0 },
    { slots: 8, waitMs: 5_000 },
  ]);
  expect(shares(coreWith([{ priority: 1, concurrency: 6 }, {}]))[1]).toEqual({ slots: 2, waitMs: 0 });
});

test('the share of a sweep is unknown while the remaining time of a sweep with a higher priority is unknown', () => {
  const { core, added } = coreWith([{ priority: 1 }, {}]);
  expect(added[1] && slotShareOf(core, added[1], () => undefined)).toBeUndefined();
});

test('a paused sweep takes no slots from other sweeps', () => {
  const { core, added } = coreWith([{}, {}]);
  onPause(core, { sweepId: '1', reason: '' });
  schedule(core, NOW);
  expect(added[1] && slotShareOf(core, added[1], () => undefined)).toEqual({ slots: 8, waitMs: 0 });
});
