import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { RetryTrialsRequest, SubmitRequest } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { loadCore } from '../store/load.ts';
import { openStore } from '../store/open.ts';
import { SqliteReader } from '../store/reader.ts';
import { SqliteStore } from '../store/sqlite-store.ts';
import { Runtime } from './runtime.ts';
import { sweepControl } from './sweep-control.ts';

const WINDOW = 3;

async function submitted(points: number) {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-retry-creation-'));
  const db = openStore(dir);
  onTestFinished(() => {
    db.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const creationWindow = { trials: WINDOW, packsPerSlot: 0 };
  const store = new SqliteStore(db, '');
  const runtime = await Runtime.open({ store, leaseMs: 1_000, send: () => {}, onBroken: () => {}, creationWindow });
  const control = sweepControl(runtime);
  const text = `trainer: noop\nparameters: {a: {min: 1, max: ${points}, step: 1}}\n`;
  const id = await control.submit(SubmitRequest.fromPartial({ requestId: 's', fileName: 's.yaml', text }));
  const act = (action: 'STOP' | 'KILL') =>
    control.act(id, { action: `SWEEP_ACTION_${action}`, reason: '', priority: 0 }, '');
  const retry = async (requestId: string, choice: Partial<RetryTrialsRequest>) => {
    const { trials } = await control.retry(RetryTrialsRequest.fromPartial({ requestId, sweep: id, ...choice }), '');
    // The scheduler creates trials only in its own turn of the event loop.
    for (let turn = 0; turn < 5; turn++) await nextTurn();
    await runtime.flush();
    return trials;
  };
  const sweep = () => runtime.queries.sweeps.get(id);
  return { db, runtime, id, act, retry, sweep };
}

test.each(['STOP', 'KILL'] as const)(
  'a retry of cancelled trials continues the creation of trials after %s',
  async (action) => {
    const { db, runtime, id, act, retry, sweep } = await submitted(10);
    await act(action);
    expect(await sweep()).toMatchObject({ searching: false, planned: 10, counts: { cancelled: WINDOW, pending: 0 } });
    expect(await retry('r', { cancelled: true })).toBe(WINDOW);
    expect(await sweep()).toMatchObject({ state: 'SWEEP_STATE_RUNNING', searching: true, planned: 10 });
    expect((await sweep()).counts).toMatchObject({ cancelled: 0, pending: WINDOW });
    const restarted = (
      await loadCore(new SqliteReader(db), { leaseMs: 1_000, now: 0, openSource: runtime.openSource })
    ).sweeps.get(id);
    expect(restarted?.search?.state.created).toBe(WINDOW);
    await act('KILL');
    expect(await retry('r', { cancelled: true })).toBe(WINDOW);
    expect(await sweep()).toMatchObject({ state: 'SWEEP_STATE_KILLED', counts: { cancelled: WINDOW } });
  },
);

test('in a killed sweep, further trials are created by a retry of cancelled trials, but not by a retry of one trial', async () => {
  const { runtime, id, act, retry, sweep } = await submitted(10);
  await act('KILL');
  const trial = (await runtime.queries.trials.at(id, 1))?.id ?? '';
  expect(await retry('named', { trials: [trial] })).toBe(1);
  expect(await sweep()).toMatchObject({
    state: 'SWEEP_STATE_RUNNING',
    searching: false,
    counts: { pending: 1, cancelled: 2 },
  });
  expect(await retry('cancelled', { cancelled: true })).toBe(2);
  expect(await sweep()).toMatchObject({ searching: true, counts: { pending: WINDOW, cancelled: 0 } });
});

test('a retry of cancelled trials creates no trial if all trials of the sweep were already created', async () => {
  const { act, retry, sweep } = await submitted(2);
  await act('KILL');
  expect(await retry('r', { cancelled: true })).toBe(2);
  expect(await sweep()).toMatchObject({ searching: false, planned: 2, counts: { pending: 2, cancelled: 0 } });
});
