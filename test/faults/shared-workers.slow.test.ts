/** Agents whose slots share workers: kills of sweeps of short programs, and a worker that hangs. */
import { readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { TestRandom } from '../support/random.ts';
import { readStore } from '../support/stored.ts';
import { until } from '../support/until.ts';

const slots = 2 * availableParallelism() + 1;
const ROUNDS = 8;
const REPORT = '{"epoch": 1, "loss": 1}';

/** The script of a program that ends when a file exists. */
const waitingFor = (file: string) => `while [ ! -e '${file}' ]; do sleep 0.05; done; echo '${REPORT}'`;

/** Submits a sweep whose trials run a shell script. @returns the id of the sweep */
async function submitTo(cluster: Cluster, folder: string, script: string, trials: number): Promise<string> {
  const text = [
    `command: [sh, -c, ${JSON.stringify(script)}]`,
    'metric: {name: loss, goal: minimize}',
    `parameters: {x: {min: 1, max: ${trials}}}`,
  ].join('\n');
  return (await cluster.json<{ sweep: string }>('submit', sweepFile(folder, text))).sweep;
}

test('after each kill of a sweep of short programs, every slot takes trials again', { timeout: 300_000 }, async () => {
  const folder = testFolder();
  const random = new TestRandom(1);
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('agent', slots);
  for (let round = 0; round < ROUNDS; round++) {
    const killed = await submitTo(cluster, folder, `echo '${REPORT}'`, 2_000);
    await sleep(random.between(300, 700));
    expect((await cluster.run('kill', killed, '--yes')).code).toBe(0);
    const go = join(folder, `go-${round}`);
    const waiting = await submitTo(cluster, folder, waitingFor(go), slots);
    await until(`every slot runs a program (round ${round})`, async () => {
      return (await cluster.sweep(waiting))?.counts?.running === slots;
    });
    writeFileSync(go, '');
    expect((await cluster.run('wait', waiting)).code).toBe(0);
  }
});

test('the programs of a shared worker that hangs run again, and are not blamed', { timeout: 240_000 }, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('agent', slots);
  const go = join(folder, 'go');
  const sweep = await submitTo(cluster, folder, `touch '${folder}'/started-$$; ${waitingFor(go)}`, slots);
  await until('every slot runs a program', () => {
    return readdirSync(folder).filter((name) => name.startsWith('started-')).length === slots;
  });
  const [hanging] = cluster.workersOf('agent').toSorted((a, b) => a - b);
  if (hanging === undefined) throw new Error('the agent has no workers');
  process.kill(hanging, 'SIGSTOP');
  // The first worker runs the programs of every slot whose index is a multiple of the number of workers.
  const affected = Math.ceil(slots / availableParallelism());
  await until('the programs of the worker run again', async () => {
    const trials = await cluster.trials(sweep);
    return trials.filter(({ state, attempts }) => state === 'running' && attempts === 2).length === affected;
  });
  writeFileSync(go, '');
  expect((await cluster.run('wait', sweep)).code).toBe(0);
  const failed = readStore(cluster.dir).attempts.filter(({ failureClass }) => failureClass !== null);
  expect(failed.map(({ failureClass }) => failureClass)).toEqual(Array(affected).fill('drained'));
});
