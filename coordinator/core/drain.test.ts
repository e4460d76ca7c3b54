import { expect, test } from 'vitest';
import { emptyCore } from '../../test/support/coordinator/sample-core.ts';
import { GRACE_STORE_INTERVAL_MS, onDrain, remainingGraceMs } from './drain.ts';
import { onTick } from './tick.ts';

test('the remaining grace period is stored at intervals, and once when the period ends', () => {
  const core = emptyCore();
  onDrain(core, { agentId: 'a', graceMs: 2.5 * GRACE_STORE_INTERVAL_MS, reason: 'r' }, 0);
  const stored: [number, unknown][] = [];
  for (let now = 0; now <= 10 * GRACE_STORE_INTERVAL_MS; now += GRACE_STORE_INTERVAL_MS / 4) {
    for (const change of onTick(core, now).changes) {
      if (change.kind === 'drain') stored.push([now / GRACE_STORE_INTERVAL_MS, change.drain?.graceLeftMs]);
    }
  }
  expect(stored).toEqual([
    [1, 1.5 * GRACE_STORE_INTERVAL_MS],
    [2, 0.5 * GRACE_STORE_INTERVAL_MS],
    [2.5, 0],
  ]);
  expect(remainingGraceMs(core, 'a', 10 * GRACE_STORE_INTERVAL_MS)).toBe(0);
});
