import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { progressText } from '../../lib/text/trials-to-come.ts';
import { distantStore } from '../../test/support/coordinator/distant-store.ts';
import { agentHello, LEASE_MS } from '../../test/support/coordinator/sample-core.ts';
import { onHello } from '../core/agents.ts';
import { onRecord } from '../core/attempt-records.ts';
import { onOpen } from '../core/attempts.ts';
import { schedule } from '../core/scheduler.ts';
import { openStore } from '../store/open.ts';
import { Runtime } from './runtime.ts';
import { sweepControl } from './sweep-control.ts';

const FILE = `name: edited
trainer: noop
metric: {name: test_loss, goal: minimize}
retry: {crash: 3, backoff: 0s}
parameters:
  x: {values: [1, 2, 3, 4]}
`;

const EDITED = FILE.replace('[1, 2, 3, 4]', '[3, 4, 5]');

/** A coordinator with a real store, and one agent with two slots. */
async function coordinator(text: string, afterRead: (sql: string) => Promise<void> = async () => {}) {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-apply-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const db = openStore(dir);
  const store = distantStore(db, afterRead);
  const open = () => Runtime.open({ store, leaseMs: LEASE_MS, send: () => {}, onBroken: () => {}, now: () => 1 });
  let runtime = await open();
  const sweepId = await sweepControl(runtime).submit({ fileName: 's.yaml', text, requestId: 'r', source: undefined });
  const connect = () => runtime.settle(onHello(runtime.core, agentHello('a', 'i', 2), 1));
  await connect();
  const seqs = new Map<string, number>();
  const world = {
    get runtime() {
      return runtime;
    },
    /** Replaces the coordinator with one that starts from the store, as after a crash. */
    async restart() {
      runtime = await open();
      await connect();
    },
    apply: (file: string, options: { readonly dryRun?: boolean; readonly baseVersion?: number } = {}) =>
      sweepControl(runtime).apply(
        sweepId,
        { sweep: sweepId, fileName: 's.yaml', text: file, baseVersion: 0, dryRun: false, ...options },
        'ann',
      ),
    async schedule() {
      await runtime.prepareSources();
      await runtime.settle(schedule(runtime.core, 1));
    },
    /** Starts the trial with the given value of x. */
    async start(x: number) {
      await world.schedule();
      const trial = world.trial(x);
      const key = { sweepId, trialId: trial.id, attempt: trial.attempts + 1 };
      const offered = [...(runtime.core.sweeps.get(sweepId)?.offers ?? [])].map(({ id }) => id);
      expect(offered).toContain(trial.id);
      await runtime.settle(onOpen(runtime.core, { key, agentId: 'a', incarnation: 'i', slot: x % 2 }, 1).step);
      return key;
    },
    async record(key: { sweepId: string; trialId: string; attempt: number }, body: object) {
      const seq = (seqs.get(`${key.trialId}/${key.attempt}`) ?? 0) + 1;
      seqs.set(`${key.trialId}/${key.attempt}`, seq);
      const record = { key, seq, at: 1, ...body } as Parameters<typeof onRecord>[1]['record'];
      await runtime.settle(onRecord(runtime.core, { agentId: 'a', record }, 1).step);
    },
    async finish(x: number) {
      const key = await world.start(x);
      await world.record(key, { kind: 'report', epoch: 1, metrics: { test_loss: x } });
      await world.record(key, { kind: 'ended', end: { outcome: 'succeeded' } });
    },
    /** Returns how many ended trials with dropped points are in each trial state, as counted in memory. */
    dropped: () => runtime.core.sweeps.get(sweepId)?.dropped,
    trials: () =>
      db
        .prepare(
          "select id, json_extract(parameters, '$.x') as x, state, attempts, dropped_in as droppedIn from trials order by idx",
        )
        .all() as { id: string; x: number; state: string; attempts: number; droppedIn: number }[],
    trial(x: number) {
      const found = world.trials().find((trial) => trial.x === x);
      if (found === undefined) throw new Error(`no trial has x = ${x}`);
      return found;
    },
    states: () => Object.fromEntries(world.trials().map(({ x, state }) => [x, state])),
    sweep: () => runtime.queries.sweeps.get(sweepId),
    events: (kind: string) =>
      (db.prepare('select detail from events where kind = ? order by seq').all(kind) as { detail: string }[]).map(
        ({ detail }) => detail,
      ),
  };
  return world;
}

test('a new version cancels the trials of dropped points, keeps results, and runs only new points', async () => {
  const world = await coordinator(FILE);
  await world.finish(1);
  await world.finish(3);
  expect(await world.apply(EDITED)).toMatchObject({
    ...{ version: 2, differs: true, kept: 2, added: 1, dropped: 2, droppedStarted: 1 },
  });
  expect(world.states()).toMatchObject({ 1: 'succeeded', 2: 'cancelled', 3: 'succeeded' });
  expect(world.trial(1).droppedIn).toBe(2);
  await world.finish(4);
  await world.finish(5);
  await world.schedule();
  expect(world.states()).toEqual({ 1: 'succeeded', 2: 'cancelled', 3: 'succeeded', 4: 'succeeded', 5: 'succeeded' });
  expect(world.trials().map(({ attempts }) => attempts)).toEqual([1, 0, 1, 1, 1]);
  expect(await world.sweep()).toMatchObject({
    state: 'SWEEP_STATE_FINISHED',
    version: 2,
    planned: 5,
    searching: false,
  });
  expect(world.events('applied')).toEqual(['version 2: 2 trials kept, 1 added, 2 dropped']);
});

test('dropped trials count as dropped, not as finished, failed or cancelled', async () => {
  const world = await coordinator(FILE);
  await world.finish(1);
  const running = await world.start(2);
  await world.apply(FILE.replace('[1, 2, 3, 4]', '[3, 5]'));
  expect((await world.sweep()).counts).toMatchObject({ succeeded: 0, running: 1, cancelled: 0, dropped: 2 });
  expect(progressText(await world.sweep())).toBe('0/3');
  const failure = { class: 'crash', message: 'exit code 1' };
  await world.record(running, { kind: 'ended', end: { outcome: 'failed', failure } });
  await world.restart();
  await world.finish(3);
  await world.finish(5);
  await world.schedule();
  const { counts, state } = await world.sweep();
  expect(state).toBe('SWEEP_STATE_FINISHED');
  expect(counts).toMatchObject({ succeeded: 2, failed: 0, cancelled: 0, dropped: 3 });
  expect(progressText(await world.sweep())).toBe('2/2');
  await world.apply(FILE.replace('[1, 2, 3, 4]', '[1, 3, 5]'));
  expect((await world.sweep()).counts).toMatchObject({ succeeded: 3, dropped: 2 });
});

test('a finished sweep runs again when a new version adds points, even after a restart', async () => {
  const world = await coordinator(FILE.replace('[1, 2, 3, 4]', '[1, 2]'));
  await world.finish(1);
  await world.finish(2);
  await world.schedule();
  expect((await world.sweep()).state).toBe('SWEEP_STATE_FINISHED');
  await world.apply(FILE.replace('[1, 2, 3, 4]', '[1, 2, 3]'));
  expect((await world.sweep()).state).toBe('SWEEP_STATE_RUNNING');
  await world.restart();
  await world.finish(3);
  await world.schedule();
  expect((await world.sweep()).state).toBe('SWEEP_STATE_FINISHED');
  expect(world.trials().map(({ attempts }) => attempts)).toEqual([1, 1, 1]);
});

test('a running trial of a dropped point continues, and is not retried if it fails', async () => {
  const world = await coordinator(FILE);
  const first = await world.start(1);
  const second = await world.start(2);
  await world.apply(EDITED);
  await world.restart();
  await world.record(first, { kind: 'ended', end: { outcome: 'succeeded' } });
  const failure = { class: 'crash', message: 'exit code 1' };
  await world.record(second, { kind: 'ended', end: { outcome: 'failed', failure } });
  expect(world.states()).toMatchObject({ 1: 'succeeded', 2: 'cancelled' });
  const { sweepId } = first;
  const control = sweepControl(world.runtime);
  const none = { sweep: sweepId, trials: [], failed: false, failures: [], cancelled: true, requestId: 'q' };
  expect((await control.retry(none, '')).trials).toBe(0);
  const named = { ...none, cancelled: false, trials: [second.trialId], requestId: 'p' };
  await expect(control.retry(named, '')).rejects.toThrow(/is not in the current version of the sweep file/);
});

test('failed trials of dropped points do not count against max_failed, even after a restart', async () => {
  const file = FILE.replace('retry: {crash: 3, backoff: 0s}', 'retry: {crash: 0}\nmax_failed: 1');
  const edited = file.replace('[1, 2, 3, 4]', '[3, 4, 5, 6]');
  const failure = { class: 'crash', message: 'exit code 1' };
  const world = await coordinator(file);
  const fail = async (x: number) => {
    await world.record(await world.start(x), { kind: 'ended', end: { outcome: 'failed', failure } });
  };
  await fail(1);
  const running = await world.start(2);
  await world.apply(edited);
  await world.record(running, { kind: 'ended', end: { outcome: 'succeeded' } });
  expect(world.dropped()).toEqual({ succeeded: 1, stopped: 0, failed: 1, cancelled: 0 });
  await fail(3);
  expect((await world.sweep()).state).toBe('SWEEP_STATE_RUNNING');
  await world.restart();
  expect(world.dropped()).toEqual({ succeeded: 1, stopped: 0, failed: 1, cancelled: 0 });
  await fail(4);
  expect(await world.sweep()).toMatchObject({ state: 'SWEEP_STATE_PAUSED', reason: '2 trials failed (max_failed: 1)' });
  await world.apply(file.replace('[1, 2, 3, 4]', '[1, 2, 3, 4, 7]'));
  expect(world.dropped()).toEqual({ succeeded: 0, stopped: 0, failed: 0, cancelled: 2 });
});

test('a point that returns in a later version keeps its result, or runs if it has no result', async () => {
  const world = await coordinator(FILE);
  await world.finish(1);
  await world.apply(EDITED);
  expect(await world.apply(FILE)).toMatchObject({ version: 3, kept: 2, added: 2, dropped: 1 });
  expect(world.trials().map(({ x, droppedIn }) => [x, droppedIn])).toEqual([
    ...[
      [1, 0],
      [2, 0],
      [3, 0],
      [4, 0],
    ],
  ]);
  await world.finish(2);
  expect(world.states()).toMatchObject({ 1: 'succeeded', 2: 'succeeded' });
});

test('new seeds add replicates to the configs of the sweep', async () => {
  const world = await coordinator(`${FILE}seeds: [0]\n`);
  await world.apply(`${FILE}seeds: [0, 1]\n`);
  await world.schedule();
  expect(world.trials().map(({ x }) => x)).toEqual([1, 2, 3, 4, 1, 2, 3, 4]);
  expect(await world.sweep()).toMatchObject({ configs: 4, replicates: 2, planned: 8 });
});

test('a lower run_cap drops the last trials, and a higher run_cap continues the search', async () => {
  const search = `name: edited\ntrainer: noop\nmethod: random\nparameters: {x: {min: 0.0, max: 1.0}}\n`;
  const world = await coordinator(`${search}run_cap: 4\n`);
  const before = world.trials().map(({ x }) => x);
  await world.apply(`${search}run_cap: 2\n`);
  expect(world.trials().map(({ state }) => state === 'cancelled')).toEqual([false, false, true, true]);
  await world.apply(`${search}run_cap: 6\n`);
  await world.schedule();
  expect(world.trials()).toHaveLength(6);
  expect(
    world
      .trials()
      .slice(0, 4)
      .map(({ x }) => x),
  ).toEqual(before);
  expect(world.trials().filter(({ state }) => state === 'cancelled')).toEqual([]);
});

test('changed settings take effect, and the trials stay the same', async () => {
  const world = await coordinator(FILE);
  const changes = await world.apply(`${FILE}timeout: 1h\npriority: 7\nconcurrency: 1\n`);
  expect(changes).toMatchObject({ kept: 4, added: 0, dropped: 0 });
  expect(changes.settings.map(({ key }) => key)).toEqual(['concurrency', 'priority', 'timeout']);
  const live = () => world.runtime.core.sweeps.get('1');
  const expected = { priority: 7, policy: { timeoutMs: 3_600_000, concurrency: 1 } };
  expect(live()).toMatchObject(expected);
  await world.restart();
  expect(live()).toMatchObject(expected);
});

test('a new early-stopping rule also compares the reports from before the change', async () => {
  const world = await coordinator(FILE.replace('values: [1, 2, 3, 4]}', 'values: [1, 2, 3, 4]}\n  epochs: {value: 9}'));
  const good = await world.start(1);
  const bad = await world.start(2);
  for (const [key, test_loss] of [
    [good, 1],
    [bad, 5],
  ] as const)
    await world.record(key, { kind: 'report', epoch: 1, metrics: { test_loss } });
  const text = await world.runtime.queries.sweeps.text('1');
  await world.apply(`${text}early_terminate: {type: patience, patience: 1}\n`);
  await world.record(bad, { kind: 'report', epoch: 2, metrics: { test_loss: 6 } });
  expect(world.states()).toMatchObject({ 1: 'running', 2: 'stopped' });
});

test('applying the current file, or repeating a call, changes nothing', async () => {
  const world = await coordinator(FILE);
  expect(await world.apply(`# a comment\n${FILE}`)).toMatchObject({ version: 1, differs: false });
  await world.apply(EDITED);
  expect(await world.apply(EDITED, { baseVersion: 1 })).toMatchObject({ version: 2, differs: false });
  expect(world.events('applied')).toHaveLength(1);
});

test('a dry run of apply changes nothing, and an apply based on an older version is rejected', async () => {
  const world = await coordinator(FILE);
  expect(await world.apply(EDITED, { dryRun: true })).toMatchObject({ version: 2, differs: true });
  expect((await world.sweep()).version).toBe(1);
  await world.apply(EDITED);
  await expect(world.apply(FILE, { baseVersion: 1 })).rejects.toThrow(/has changed to version 2 since the comparison/);
});

test('every version of the sweep file remains readable', async () => {
  const world = await coordinator(FILE);
  await world.apply(EDITED);
  const { queries } = world.runtime;
  expect(await queries.sweeps.versionText('1', 1)).toBe(FILE);
  expect(await queries.sweeps.versionText('1', 2)).toBe(EDITED);
  await expect(queries.sweeps.versionText('1', 3)).rejects.toThrow('sweep 1 has versions 1 to 2, not 3');
});

const POPULATION = `name: edited
method: pbt
population: 8
pbt: {interval: 2, explore: [lr]}
command: [python3, train.py]
metric: {name: loss, goal: minimize}
parameters:
  lr: {min: 0.1, max: 1}
`;

test.each([
  ['max: 1', 'max: 2'],
  ['population: 8', 'population: 9'],
  ['interval: 2', 'interval: 4'],
  ['goal: minimize', 'goal: minimize, target: 0.1'],
  ['command:', 'priority: 3\ncommand:'],
])('a population cannot change from %s to %s', async (from, to) => {
  const world = await coordinator(POPULATION);
  const expected =
    'trains a population (method: pbt), which cannot change, because each comparison depends on the earlier';
  await expect(world.apply(POPULATION.replace(from, to))).rejects.toThrow(expected);
  await expect(world.apply(POPULATION.replace(from, to), { dryRun: true })).rejects.toThrow(expected);
});

test('applying the current file of a population changes nothing', async () => {
  const world = await coordinator(POPULATION);
  expect(await world.apply(`# the same content\n${POPULATION}`)).toMatchObject({ version: 1, differs: false });
});

test('a killed sweep rejects a new version', async () => {
  const world = await coordinator(FILE);
  await sweepControl(world.runtime).act('1', { action: 'SWEEP_ACTION_KILL', reason: '', priority: 0 }, '');
  await expect(world.apply(EDITED)).rejects.toThrow('sweep 1 was killed: submit the file as a new sweep');
});

describe('a sweep that has reached its target', () => {
  const withTarget = (target: number, values = '[4, 3, 2, 1]') =>
    FILE.replace('goal: minimize', `goal: minimize, target: ${target}`).replace('[1, 2, 3, 4]', values);

  /** Runs two of the four trials. The second trial reaches the target 3.5, so the sweep ends. */
  async function ended() {
    const world = await coordinator(withTarget(3.5));
    await world.finish(4);
    await world.finish(3);
    await world.schedule();
    expect(await world.sweep()).toMatchObject({ state: 'SWEEP_STATE_STOPPED', counts: { succeeded: 2, cancelled: 2 } });
    return world;
  }

  test('a stricter target resumes a sweep that has reached its target, and runs only the trials without a result', async () => {
    const world = await ended();
    await world.apply(withTarget(1.5));
    expect(await world.sweep()).toMatchObject({ state: 'SWEEP_STATE_RUNNING', reason: '', counts: { pending: 2 } });
    await world.restart();
    await world.finish(2);
    await world.finish(1);
    await world.schedule();
    expect((await world.sweep()).counts).toMatchObject({ succeeded: 4, cancelled: 0 });
    expect(world.trials().map(({ attempts }) => attempts)).toEqual([1, 1, 1, 1]);
    expect(world.events('restored')).toEqual([]);
  });

  test('a trial that a user killed stays cancelled when its sweep runs again with another target', async () => {
    const world = await coordinator(withTarget(3.5));
    const killed = world.trial(2).id;
    await sweepControl(world.runtime).killTrial((await world.sweep()).id, killed, 'not this one', 'ann');
    await world.finish(3);
    await world.schedule();
    await world.apply(withTarget(0.5));
    expect(world.states()).toEqual({ 4: 'pending', 3: 'succeeded', 2: 'cancelled', 1: 'pending' });
  });

  test('a version with new points and without a target resumes a sweep that has reached its target', async () => {
    const world = await ended();
    await world.apply(FILE.replace('[1, 2, 3, 4]', '[4, 2, 5]'));
    expect(world.states()).toMatchObject({ 4: 'succeeded', 3: 'succeeded', 2: 'pending', 1: 'cancelled' });
    await world.finish(2);
    await world.finish(5);
    await world.schedule();
    expect(await world.sweep()).toMatchObject({
      ...{ state: 'SWEEP_STATE_FINISHED', counts: { succeeded: 3, cancelled: 0, dropped: 2 } },
    });
  });

  test('a target is rejected if a kept result already reaches it, but not if only the result of a dropped trial reaches it', async () => {
    const world = await ended();
    const id = world.trial(3).id;
    await expect(world.apply(withTarget(3.2))).rejects.toThrow(
      `trial ${id} has test_loss 3, which reaches the target 3.2: set a stricter metric.target or remove it`,
    );
    expect(await world.sweep()).toMatchObject({ state: 'SWEEP_STATE_STOPPED', version: 1 });
    await world.apply(withTarget(3.2, '[4, 2]'));
    expect(await world.sweep()).toMatchObject({ state: 'SWEEP_STATE_RUNNING', counts: { succeeded: 1, pending: 1 } });
  });

  test('a larger run_cap continues a search that has reached its target', async () => {
    const search = (target: number, cap: number) =>
      withTarget(target).replace(
        /parameters:.*/s,
        `method: random\nrun_cap: ${cap}\nparameters: {x: {min: 0, max: 100000}}\n`,
      );
    const world = await coordinator(search(100_000, 3));
    const [first] = world.trials();
    await world.finish(first?.x ?? 0);
    await world.schedule();
    expect(await world.sweep()).toMatchObject({ state: 'SWEEP_STATE_STOPPED', counts: { succeeded: 1, cancelled: 2 } });
    await world.apply(search(-1, 5));
    await world.schedule();
    expect(await world.sweep()).toMatchObject({ planned: 5, counts: { succeeded: 1, cancelled: 0 } });
    expect(world.trials()).toHaveLength(5);
  });
});

/**
 * Whether the query is the last query of a comparison with a new file. This query counts the dropped trials that have
 * ended.
 */
const isLastComparison = (sql: string) => sql.includes('count(*) as n');

test('a dropped trial that ends while the store is read counts once, in memory and in the store', async () => {
  let during = async () => {};
  const world = await coordinator(FILE, (sql) => (isLastComparison(sql) ? during() : Promise.resolve()));
  const key = await world.start(1);
  let reads = 0;
  during = async () => {
    reads += 1;
    if (reads > 1) return;
    await world.record(key, { kind: 'report', epoch: 1, metrics: { test_loss: 1 } });
    await world.record(key, { kind: 'ended', end: { outcome: 'succeeded' } });
  };
  expect(await world.apply(EDITED)).toMatchObject({ version: 2, dropped: 2, droppedStarted: 1 });
  expect(reads).toBe(2);
  expect(world.dropped()).toMatchObject({ succeeded: 1, cancelled: 1 });
  expect((await world.sweep()).counts).toMatchObject({ dropped: 2, succeeded: 0 });
  await world.restart();
  expect(world.dropped()).toMatchObject({ succeeded: 1, cancelled: 1 });
});

test('a new version is rejected if the sweep changes during each comparison', async () => {
  const text = FILE.replace('{values: [1, 2, 3, 4]}', '{min: 1, max: 100, step: 1}');
  let during = async () => {};
  const world = await coordinator(text, (sql) => (isLastComparison(sql) ? during() : Promise.resolve()));
  let last = 0;
  during = () => world.finish(++last);
  await expect(world.apply(FILE)).rejects.toThrow(/changed during each of 20 comparisons with the file: pause it/);
  expect((await world.sweep()).version).toBe(1);
});
