import { expect, test } from 'vitest';
import { emptyCore } from '../../test/support/coordinator/sample-core.ts';
import { graceLeft, NOTE_EVERY_MS, onDrain } from './drain.ts';
import { onTick } from './tick.ts';

test('what is left of a grace is stored as it runs, and once more when it is over; then nothing is', () => {
  const core = emptyCore();
  onDrain(core, 'a', { graceMs: 2.5 * NOTE_EVERY_MS, reason: 'r' }, 0);
  const stored: [number, unknown][] = [];
  for (let now = 0; now <= 10 * NOTE_EVERY_MS; now += NOTE_EVERY_MS / 4) {
    for (const change of onTick(core, now).changes) {
      if (change.kind === 'drain') stored.push([now / NOTE_EVERY_MS, change.drain?.graceLeftMs]);
    }
  }
  expect(stored).toEqual([
    [1, 1.5 * NOTE_EVERY_MS],
    [2, 0.5 * NOTE_EVERY_MS],
    [2.5, 0],
  ]);
  expect(graceLeft(core, 'a', 10 * NOTE_EVERY_MS)).toBe(0);
});
