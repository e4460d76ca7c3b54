import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { distantStore } from '../../test/support/coordinator/distant-store.ts';
import { agentHello, LEASE_MS } from '../../test/support/coordinator/sample-core.ts';
import { newFolder } from '../../test/support/coordinator/serve.ts';
import { until } from '../../test/support/until.ts';
import { onHello } from '../core/agents.ts';
import { onPause, onResume } from '../core/sweeps.ts';
import { Pruner } from '../retention/prune.ts';
import { openStore } from '../store/open.ts';
import { SqliteStore } from '../store/sqlite-store.ts';
import { Runtime } from './runtime.ts';
import { sweepControl } from './sweep-control.ts';

const PASSES_MS = 100;

test.each([
  ['a grid', 'parameters: {x: {min: 1, max: 5000, step: 1}}'],
  ['a random search', 'method: random\nrun_cap: 5000\nparameters: {x: {min: 0.0, max: 1.0}}'],
])(
  'a paused sweep of %s causes no further passes of the scheduler, even if its creation window is not full',
  async (_, space) => {
    let passes = 0;
    /** Called after a pass that needed more steps than were prepared. */
    let onUnprepared: (() => void) | undefined;
    const store = new SqliteStore(openStore(newFolder()), '');
    const runtime = await Runtime.open({
      store,
      leaseMs: LEASE_MS,
      send: () => {},
      onBroken: () => {},
      onPass: () => {
        passes += 1;
        if (onUnprepared !== undefined && runtime.core.sweeps.get('1')?.search?.source.isUnprepared) onUnprepared();
      },
      creationWindow: { trials: 2_000, packsPerSlot: 2 },
    });
    onTestFinished(() => runtime.stop());
    const text = `trainer: noop\n${space}\n`;
    await sweepControl(runtime).submit({ fileName: 's.yaml', text, requestId: 'r', source: undefined });
    await runtime.settle(onHello(runtime.core, agentHello('a', 'i', 1), 1));
    const { search, counts } = runtime.core.sweeps.get('1') ?? {};
    if (search === undefined || counts === undefined) throw new Error('the sweep has no search');
    // As if 1,500 trials had ended: the window has room, so the next pass takes more steps than were prepared.
    counts.pending -= 1_500;
    // Paused within the pass, because the next pass prepares more steps.
    const paused = new Promise<void>((resolve) => {
      onUnprepared = () => {
        onUnprepared = undefined;
        resolve(runtime.settle(onPause(runtime.core, { sweepId: '1', reason: '' })));
      };
    });
    runtime.reschedule();
    await paused;
    expect(search.source.isUnprepared).toBe(true);
    const before = passes;
    await sleep(PASSES_MS);
    expect(passes - before).toBeLessThanOrEqual(2);
    await runtime.settle(onResume(runtime.core, { sweepId: '1' }));
    runtime.reschedule();
    await until('the window is full again', () => counts.pending + counts.offered >= 2_000);
  },
);

test('a pass of the scheduler that cannot read the store is repeated, and the coordinator continues', async () => {
  let failures = 0;
  const failed: string[] = [];
  const store = distantStore(openStore(newFolder()), async (sql) => {
    if (failures === 2 || !sql.startsWith('select trials.id from')) return;
    failures += 1;
    throw new Error(`the connection is closed (${failures})`);
  });
  const runtime = await Runtime.open({
    store,
    leaseMs: LEASE_MS,
    send: () => {},
    onBroken: (error) => failed.push(`broken: ${error}`),
    onReadFailed: (error) => failed.push(`${error}`),
    creationWindow: { trials: 3, packsPerSlot: 1 },
  });
  onTestFinished(() => runtime.stop());
  const text = 'trainer: noop\nparameters: {x: {min: 1, max: 20, step: 1}}\n';
  await sweepControl(runtime).submit({ fileName: 's.yaml', text, requestId: 'r', source: undefined });
  await runtime.settle(onHello(runtime.core, agentHello('a', 'i', 4), 1));
  await until('the window is full', () => runtime.core.sweeps.get('1')?.trials.size === 9);
  expect(failed).toEqual(['Error: the connection is closed (1)', 'Error: the connection is closed (2)']);
});

test('if a change cannot be written after the coordinator has stopped, the store is not reported as broken', async () => {
  const broken: unknown[] = [];
  const store = new SqliteStore(openStore(newFolder()), '');
  const onBroken = (error: unknown) => broken.push(error);
  const runtime = await Runtime.open({ store, leaseMs: LEASE_MS, send: () => {}, onBroken });
  const before = runtime.settle(onHello(runtime.core, agentHello('a', 'i', 1), 1));
  await runtime.stop();
  await before;
  expect([...(await store.loadAgents()).keys()]).toEqual(['a']);
  await store.close();
  await expect(runtime.settle(onHello(runtime.core, agentHello('b', 'i', 1), 1))).rejects.toThrow();
  expect(broken).toEqual([]);
});

test('submissions, transactions and prunes write to the store one after another', async () => {
  const store = new SqliteStore(openStore(newFolder()), '');
  let active = 0;
  let most = 0;
  const slow = <Values extends unknown[], Result>(write: (...values: Values) => Promise<Result>) => {
    return async (...values: Values): Promise<Result> => {
      most = Math.max(most, ++active);
      await sleep(5);
      const result = await write.apply(store, values);
      active -= 1;
      return result;
    };
  };
  Object.assign(store, {
    write: slow(store.write),
    addSweep: slow(store.addSweep),
    removeSweep: slow(store.removeSweep),
    endRemoval: slow(store.endRemoval),
  });
  const runtime = await Runtime.open({ store, leaseMs: LEASE_MS, send: () => {}, onBroken: () => {} });
  onTestFinished(() => runtime.stop());
  const control = sweepControl(runtime);
  const submit = (requestId: string) => {
    const text = 'trainer: noop\nparameters: {x: {value: 1}}\n';
    return control.submit({ fileName: 's.yaml', text, requestId, source: undefined });
  };
  const ended = await submit('first');
  await submit('second');
  await control.act(ended, { action: 'SWEEP_ACTION_KILL', reason: '', priority: 0 }, '');
  const files = { removeSweep: async () => true, removeOrphans: async () => [] };
  const archives = { removeUnused: async () => ({ archives: 0, bytes: 0 }) };
  const pruner = new Pruner(store, files, archives, {
    isLive: (id) => runtime.core.sweeps.has(id),
    exclusively: (operation) => runtime.exclusively(operation),
    write: (operation) => runtime.write(operation),
  });
  const [, third, pruned] = await Promise.all([
    runtime.settle(onHello(runtime.core, agentHello('a', 'i', 1), 1)),
    submit('third'),
    pruner.prune({ olderThanMs: 0, keep: 0, dryRun: false }, Number.MAX_SAFE_INTEGER),
    runtime.settle(onHello(runtime.core, agentHello('b', 'i', 1), 1)),
  ]);
  expect([third, pruned.map(({ id }) => id)]).toEqual(['3', [ended]]);
  expect(most).toBe(1);
});
