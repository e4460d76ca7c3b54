import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { TrialJson } from '../../bin/output/json.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';

const FAILING =
  'command: [sh, -c, "exit 3"]\nmetric: {name: test_loss, goal: minimize}\nretry: {crash: 1}\nparameters: {x: {values: [1]}}\n';

test('the JSON logs of coordinator and agent contain a failure with the ids of its trial and attempt', {
  timeout: 120_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('one', 1);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, FAILING));
  expect((await cluster.run('wait', sweep)).code).toBe(1);
  const [trial] = await cluster.json<TrialJson[]>('trials', sweep);
  for (const part of ['coordinator', 'one']) {
    const lines = readFileSync(cluster.logOf(part), 'utf8').trim().split('\n');
    const failures = lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ msg }) => msg === 'an attempt failed');
    expect(failures).toMatchObject(
      [1, 2].map((attempt) => ({ sweepId: sweep, trialId: trial?.trial, attempt, class: 'crash' })),
    );
    expect(failures[0]?.message).toContain('code 3');
  }
});
