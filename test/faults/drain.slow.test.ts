/** Tests drains by `trawl drain` and by signal, with real processes. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { readStore } from '../support/stored.ts';
import { until } from '../support/until.ts';
import { exactlyOnce, type NoopSweep, noopSweepText, untilRunning } from './noop-sweep.ts';

const sweepOf = (trials: number, epochMs: number): NoopSweep => ({ trials, epochs: 4, epochMs });

interface Shown {
  readonly agent: string;
  readonly state: string;
  readonly busy: number;
  readonly drain_reason: string | null;
}

async function shown(cluster: Cluster, name: string): Promise<Shown | undefined> {
  return (await cluster.json<Shown[]>('agents')).find(({ agent }) => agent === name);
}

async function untilLeaving(cluster: Cluster, name: string): Promise<void> {
  const logText = () => readFileSync(cluster.logOf(name), 'utf8');
  await until(`agent ${name} has received the signal`, () => logText().includes('the agent takes no new trials'));
}

test('an agent that exits on SIGTERM is "left"; an agent that is killed while the coordinator is down is "lost"', {
  timeout: 300_000,
}, async () => {
  const cluster = await Cluster.start(testFolder(), { lease: '2s' });
  await cluster.startAgent('leaver', 1);
  await cluster.startAgent('victim', 1);
  const isUp = async (name: string) => (await shown(cluster, name))?.state === 'connected';
  await until('both agents are connected', async () => (await isUp('leaver')) && (await isUp('victim')));
  const leaver = cluster.agent('leaver');
  process.kill(leaver.pid, 'SIGTERM');
  expect(await leaver.exited).toBe(0);
  await until('the agent has left', async () => (await shown(cluster, 'leaver'))?.state === 'left');
  await cluster.coordinator.killNow();
  await cluster.agent('victim').killNow();
  await cluster.startCoordinator();
  const facts = { host: expect.stringMatching(/./), version: expect.stringMatching(/./), slots: 1 };
  expect(await shown(cluster, 'victim')).toMatchObject({ ...facts, state: 'lost' });
  expect(await shown(cluster, 'leaver')).toMatchObject({ ...facts, state: 'left' });
  const metrics = await until('the gauges are set', async () => {
    const text = await cluster.page('/metrics');
    return text.includes('trawl_agents{state="lost"} 1') && text;
  });
  expect(metrics).toContain('trawl_agents{state="left"} 1');
});

test('a drained agent finishes its running trials and accepts no new trials until its drain ends, even after a restart', {
  timeout: 300_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: '5s' });
  await cluster.startAgent('one', 2);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, noopSweepText(sweepOf(10, 500))));
  await untilRunning(cluster, sweep, 2);
  const drained = await cluster.json<Shown>('drain', 'one', '--reason', 'new driver', '--wait');
  expect(drained).toMatchObject({ agent: 'one', state: 'drained', busy: 0, drain_reason: 'new driver' });
  const counts = (await cluster.sweep(sweep))?.counts;
  expect(counts).toMatchObject({ running: 0, failed: 0 });
  expect(counts?.succeeded).toBeGreaterThanOrEqual(2);
  expect(counts?.succeeded).toBeLessThan(10);

  await cluster.agent('one').killNow();
  await cluster.coordinator.killNow();
  await cluster.startCoordinator();
  await cluster.startAgent('one', 2);
  await until('the agent is connected again', async () => (await shown(cluster, 'one'))?.state === 'drained');
  expect((await cluster.sweep(sweep))?.counts).toEqual(counts);

  expect(await cluster.json<Shown>('undrain', 'one')).toMatchObject({ state: 'connected', drain_reason: null });
  const { attempts } = await exactlyOnce(cluster, sweep, sweepOf(10, 500));
  expect(attempts.map(({ number, failureClass }) => [number, failureClass])).toEqual(Array(10).fill([1, null]));
});

test('trials that outlast the grace period are handed back, and run on another agent without using a retry', {
  timeout: 300_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: '60s' });
  await cluster.startAgent('one', 1, cluster.address, 3);
  const { sweep } = await cluster.json<{ sweep: string }>(
    'submit',
    sweepFile(folder, noopSweepText(sweepOf(3, 2_500))),
  );
  await untilRunning(cluster, sweep, 3);
  await cluster.run('drain', 'one', '--grace', '0s');
  await until('the pack was handed back', async () => (await shown(cluster, 'one'))?.state === 'drained');
  await cluster.startAgent('two', 3);
  const { attempts } = await exactlyOnce(cluster, sweep, sweepOf(3, 0));
  expect(attempts.filter(({ number }) => number === 1).map(({ agent, failureClass }) => [agent, failureClass])).toEqual(
    Array(3).fill(['one', 'drained']),
  );
  expect(attempts.filter(({ number }) => number === 2).map(({ agent }) => agent)).toEqual(Array(3).fill('two'));
});

test('after one SIGTERM, an agent exits when its trials have finished; after a second SIGTERM, it hands its running trials back immediately', {
  timeout: 300_000,
}, async () => {
  const folder = testFolder();
  const cluster = await Cluster.start(folder, { lease: '60s' });
  await cluster.startAgent('one', 1, cluster.address, 1, ['--drain-grace', '60s']);
  const { sweep } = await cluster.json<{ sweep: string }>(
    'submit',
    sweepFile(folder, noopSweepText(sweepOf(3, 1_500))),
  );
  await untilRunning(cluster, sweep, 1);
  process.kill(cluster.agent('one').pid, 'SIGTERM');
  expect(await cluster.agent('one').exited).toBe(0);
  expect((await cluster.sweep(sweep))?.counts).toMatchObject({ succeeded: 1, running: 0 });

  await cluster.startAgent('two', 1, cluster.address, 1, ['--drain-grace', '60s']);
  await untilRunning(cluster, sweep, 1);
  process.kill(cluster.agent('two').pid, 'SIGTERM');
  await untilLeaving(cluster, 'two');
  process.kill(cluster.agent('two').pid, 'SIGTERM');
  expect(await cluster.agent('two').exited).toBe(0);
  await cluster.startAgent('three', 2);
  const { attempts } = await exactlyOnce(cluster, sweep, sweepOf(3, 0));
  expect(attempts.flatMap(({ agent, failureClass }) => (failureClass ? [[agent, failureClass]] : []))).toEqual([
    ['two', 'drained'],
  ]);
});

const PROGRAM = `
import { writeFileSync } from 'node:fs';
process.on('SIGTERM', () => setTimeout(() => { writeFileSync(process.argv[2], 'asked to end'); process.exit(1); }, 800));
console.log(JSON.stringify({ epoch: 1, loss: 1 }));
setInterval(() => {}, 1000);
`;

test.each([['0s'], ['60s']])(
  "a user's program has time to exit between SIGTERM and SIGKILL if the grace period of a drain is %s",
  {
    timeout: 300_000,
  },
  async (grace) => {
    const folder = testFolder();
    const logText = join(folder, 'said.txt');
    writeFileSync(join(folder, 'linger.mjs'), PROGRAM);
    const command = JSON.stringify(['node', join(folder, 'linger.mjs'), logText]);
    const text = `command: ${command}\nmetric: {name: loss}\nparameters: {}\nretry: {crash: 0}\n`;
    const cluster = await Cluster.start(folder, { lease: '60s' });
    await cluster.startAgent('one', 1, cluster.address, 1, ['--drain-grace', grace]);
    const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, text));
    await until('the program has reported', async () => {
      const [trial] = await cluster.trials(sweep);
      return trial?.epoch === 1;
    });
    const { pid, exited } = cluster.agent('one');
    process.kill(pid, 'SIGTERM');
    if (grace !== '0s') {
      await untilLeaving(cluster, 'one');
      process.kill(pid, 'SIGTERM');
    }
    expect(await exited).toBe(0);
    await until('the program has handled SIGTERM', () => existsSync(logText) && readFileSync(logText, 'utf8') !== '');
    await cluster.coordinator.stop();
    const { attempts, trials } = readStore(cluster.dir);
    expect(attempts.map(({ failureClass }) => failureClass)).toEqual(['drained']);
    expect(trials.map(({ state }) => ['pending', 'offered'].includes(state))).toEqual([true]);
  },
);
