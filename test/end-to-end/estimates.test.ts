/** If no earlier sweep was measured, the estimate for a sweep comes from the first trials of that sweep. */
import { expect, test } from 'vitest';
import { EXIT } from '../../proto/errors.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { until } from '../support/until.ts';

const ADAPTIVE = `trainer: noop
parameters: {x: {values: [1, 2, 3]}, duration_ms: {value: 700}, epochs: {value: 4}}
replicates: {min: 2, max: 4, until: decided}
`;

test('while a sweep runs, `show` prints the estimated total duration, which is an upper bound if replicates are adaptive', {
  timeout: 120_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, ADAPTIVE));
  const shown = async () => (await cluster.run('show', sweep)).stdout;
  expect(await shown()).toMatch(/^trials +at most 12 \(3 configs x 2 to 4 replicates\)$/m);
  expect(await shown()).not.toMatch(/^(estimate|time left)/m);
  expect(await cluster.json('show', sweep)).toMatchObject({ estimate: null, seconds_left: null });

  await cluster.startAgent('agent', 2);
  const text = await until('an estimate', async () => {
    const now = await shown();
    return /^estimate/m.test(now) && now;
  });
  expect(text).toMatch(
    /^estimate +at most about \S+ on 2 slots \(90% interval \S+ to \S+\), \S+ slot-\w+; from its (running|\d+ ended) trials?$/m,
  );
  const { estimate } = await cluster.json<{ estimate: { duration_s: { expected: number }; slots: number } }>(
    'show',
    sweep,
  );
  expect(estimate.slots).toBe(2);
  // A trial takes at least 2.8 seconds, and 12 trials run on two slots.
  expect(estimate.duration_s.expected).toBeGreaterThan(12);

  expect((await cluster.run('wait', sweep)).code).toBe(EXIT.done);
  expect(await shown()).toMatch(/^trials +\d+ \(3 configs x 2 to 4 replicates\)$/m);
  expect(await shown()).not.toMatch(/^(estimate|time left)/m);
});
