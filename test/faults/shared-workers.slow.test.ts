/** Kills of sweeps whose short programs end and start while the kill arrives, on an agent whose slots share workers. */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { TestRandom } from '../support/random.ts';
import { until } from '../support/until.ts';

const slots = 2 * availableParallelism() + 1;
const ROUNDS = 8;
const REPORT = '{"epoch": 1, "loss": 1}';

test('after each kill of a sweep of short programs, every slot takes trials again', { timeout: 300_000 }, async () => {
  const folder = testFolder();
  const random = new TestRandom(1);
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('agent', slots);
  const submit = async (script: string, trials: number) => {
    const text = [
      `command: [sh, -c, ${JSON.stringify(script)}]`,
      'metric: {name: loss, goal: minimize}',
      `parameters: {x: {min: 1, max: ${trials}}}`,
    ].join('\n');
    return (await cluster.json<{ sweep: string }>('submit', sweepFile(folder, text))).sweep;
  };
  for (let round = 0; round < ROUNDS; round++) {
    const killed = await submit(`echo '${REPORT}'`, 2_000);
    await sleep(random.between(300, 700));
    expect((await cluster.run('kill', killed, '--yes')).code).toBe(0);
    const go = join(folder, `go-${round}`);
    const waiting = await submit(`while [ ! -e '${go}' ]; do sleep 0.05; done; echo '${REPORT}'`, slots);
    await until(`every slot runs a program (round ${round})`, async () => {
      return (await cluster.sweep(waiting))?.counts?.running === slots;
    });
    writeFileSync(go, '');
    expect((await cluster.run('wait', waiting)).code).toBe(0);
  }
});
