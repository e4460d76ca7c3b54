import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { EXIT } from '../../proto/errors.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { readStore } from '../support/stored.ts';

const POISON = 3;
const CRASHES = 2;
const PROGRAM = `
if (process.argv.includes('--x=${POISON}')) process.kill(process.ppid, 'SIGKILL');
else console.log(JSON.stringify({ epoch: 1, loss: 1 }));
`;

test('a trial that always kills its worker uses only its own retry budget, and every other trial runs once', {
  timeout: 180_000,
}, async () => {
  const folder = testFolder();
  writeFileSync(join(folder, 'poison.mjs'), PROGRAM);
  const sweepOf = (values: readonly number[]) =>
    sweepFile(
      folder,
      [
        `command: [node, ${JSON.stringify(join(folder, 'poison.mjs'))}, "\${args}"]`,
        'metric: {name: loss}',
        `parameters: {x: {values: [${values.join(', ')}]}}`,
        `retry: {crash: ${CRASHES}, backoff: 100ms}`,
      ].join('\n'),
    );
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('agent', 2);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepOf([1, 2, POISON, 4, 5, 6, 7, 8]));
  expect((await cluster.run('wait', sweep)).code).toBe(EXIT.failedTrials);
  const trials = await cluster.json<TrialJson[]>('trials', sweep);
  const results = trials.map(({ parameters, state, attempts }) => [parameters.x, state, attempts]);
  expect(results.sort(([a], [b]) => Number(a) - Number(b))).toEqual([
    ...[1, 2].map((x) => [x, 'succeeded', 1]),
    [POISON, 'failed', 1 + CRASHES],
    ...[4, 5, 6, 7, 8].map((x) => [x, 'succeeded', 1]),
  ]);

  const next = await cluster.json<{ sweep: string }>('submit', sweepOf([11, 12, 13, 14]));
  expect((await cluster.run('wait', next.sweep)).code).toBe(0);
  await cluster.coordinator.stop();
  const failures = readStore(cluster.dir).attempts.flatMap(({ failureClass }) => failureClass ?? []);
  expect(failures).toEqual(Array(1 + CRASHES).fill('crash'));
});
