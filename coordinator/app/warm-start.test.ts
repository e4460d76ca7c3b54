import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LEASE_MS } from '../../test/support/coordinator/sample-core.ts';
import { openStore } from '../store/open.ts';
import { SqliteReader } from '../store/reader.ts';
import { SqliteStore } from '../store/sqlite-store.ts';
import { storedWarmStart } from '../store/warm-starts.ts';
import { Runtime } from './runtime.ts';
import { sweepControl } from './sweep-control.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-warm-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const GRID = `name: earlier
trainer: noop
metric: {name: test_loss, goal: minimize}
parameters: {x: {min: 0, max: 5, step: 0.25}, opt: {values: [adam, sgd]}}
`;
const TPE = `name: later
trainer: noop
method: tpe
metric: {name: test_loss, goal: minimize}
run_cap: 50
warm_start: [earlier]
parameters: {x: {min: 0.0, max: 4.0}, opt: {values: [adam, sgd]}}
`;

async function coordinator() {
  const db = openStore(dir);
  const store = new SqliteStore(db, '');
  const open = () => Runtime.open({ store, leaseMs: LEASE_MS, send: () => {}, onBroken: () => {}, now: () => 1 });
  const runtime = await open();
  let requests = 0;
  return {
    db,
    runtime,
    open,
    submit: (text: string) =>
      sweepControl(runtime).submit({ fileName: 's.yaml', text, requestId: `r${requests++}`, source: undefined }),
    /** Ends every trial of a sweep. The loss depends only on `x` and `opt`. */
    end(id: string) {
      db.exec(`update trials set state = 'succeeded', ended_at = idx + 1, metrics = json_object('test_loss',
        (json_extract(parameters, '$.x') - 1.1) * (json_extract(parameters, '$.x') - 1.1)
        + iif(json_extract(parameters, '$.opt') = 'adam', 0, 3)) where sweep_id = ${id}`);
    },
  };
}

type Points = Record<string, unknown>[];

async function nextPoints(runtime: Runtime, id: string, count: number): Promise<Points> {
  const search = runtime.core.sweeps.get(id)?.search;
  const points: Points = [];
  let state = search?.state;
  await runtime.prepareSources();
  while (search !== undefined && state !== undefined && points.length < count) {
    const step = search.source.next(state, () => false);
    if (step.kind === 'done' || step.kind === 'wait') break;
    state = step.state;
    if (step.kind === 'trial') points.push({ ...step.trial.parameters });
  }
  return points;
}

test('a TPE search with warm_start begins near the best points of the earlier sweep, even after a restart', async () => {
  const { runtime, open, submit, end } = await coordinator();
  end(await submit(GRID));
  const id = await submit(TPE);
  const restarted = await nextPoints(await open(), id, 6);
  const points = await nextPoints(runtime, id, 6);
  expect(restarted).toEqual(points);
  expect(points).toHaveLength(6);
  const near = points.filter(({ x, opt }) => Math.abs(Number(x) - 1.1) < 1 && opt === 'adam');
  expect(near.length).toBeGreaterThanOrEqual(4);
});

test('the warm start of a search does not change when results of the earlier sweep change or are removed', async () => {
  const { db, runtime, open, submit, end } = await coordinator();
  end(await submit(GRID));
  const id = await submit(TPE);
  const before = await nextPoints(await open(), id, 3);
  db.exec("update trials set metrics = '{}' where sweep_id = 1; delete from trials where sweep_id = 1 and idx < 9");
  expect(await nextPoints(await open(), id, 3)).toEqual(before);
  expect(await nextPoints(runtime, id, 3)).toEqual(before);
});

test('configs with values outside the space are left out, and a warning of the sweep states how many there are', async () => {
  const { db, runtime, submit, end } = await coordinator();
  end(await submit(GRID));
  const id = await submit(TPE);
  expect(await storedWarmStart(new SqliteReader(db), id)).toHaveLength(34);
  expect((await runtime.queries.sweeps.get(id)).warnings).toEqual([
    expect.objectContaining({
      kind: 'WARNING_KIND_WARM_START',
      message:
        '8 of 42 configs of the earlier sweeps are left out (8 outside the space: for example, x is 5 in an earlier sweep, but uniform from 0 to 4 in this sweep)',
      count: 8,
    }),
  ]);
});

test('the replicates of an earlier config count as one result, which is their mean', async () => {
  const { db, submit } = await coordinator();
  await submit(`${GRID.replace('{min: 0, max: 5, step: 0.25}', '{value: 0}')}replicates: 3\n`);
  db.exec(`update trials set state = 'succeeded', ended_at = 5, metrics = json_object('test_loss', 10 + seed)
    where json_extract(parameters, '$.opt') = 'adam';
    update trials set state = 'failed', ended_at = 6 where json_extract(parameters, '$.opt') = 'sgd' and seed = 0`);
  const id = await submit(TPE);
  expect(await storedWarmStart(new SqliteReader(db), id)).toMatchObject([
    { parameters: { x: 0, opt: 'adam' }, value: 11 },
    { parameters: { x: 0, opt: 'sgd' }, value: undefined },
  ]);
});

test.each([
  ['an unknown name', TPE.replace('[earlier]', '[earlyer]'), 'there is no sweep "earlyer"; did you mean "earlier"?'],
  ['an unknown id', TPE.replace('[earlier]', '[77]'), 'there is no sweep "77"; the newest are 1 (earlier)'],
  [
    'a sweep of another folder',
    TPE.replace('[earlier]', '[in-another-folder]'),
    'warm_start finds only sweeps of the same coordinator and data folder',
  ],
  ['a sweep that is named twice', TPE.replace('[earlier]', '[earlier, 1]'), 'names sweep 1 twice'],
  [
    'a sweep with other parameters',
    TPE.replace('opt: {values: [adam, sgd]}', 'work_ms: {value: 0}'),
    'sweep 1 has a different search space: it has no parameter "work_ms"',
  ],
  [
    'a sweep with a parameter of another kind',
    TPE.replace('[adam, sgd]', '[1, 2]'),
    'sweep 1 has a different search space: it has values other than numbers in parameter "opt", but this file has only numbers',
  ],
  [
    'a sweep of another trainer',
    TPE.replace('trainer: noop', 'command: [program]'),
    'sweep 1 has trainer noop, but this file has trainer command',
  ],
])('warm_start with %s is rejected', async (_what, text, message) => {
  const { submit, runtime } = await coordinator();
  await submit(GRID);
  await expect(submit(text)).rejects.toThrow(message);
  expect(await runtime.queries.sweeps.all()).toHaveLength(1);
});

test('a warm start that leaves out every earlier result is rejected, and the error names the parameter that differs', async () => {
  const { submit, end, runtime } = await coordinator();
  const epochs = (text: string, count: number) =>
    text.replace('parameters: {', `parameters: {epochs: {value: ${count}}, `);
  end(await submit(epochs(GRID, 5)));
  await expect(submit(epochs(TPE, 10))).rejects.toThrow(
    'warm_start has no effect: 42 of 42 configs of the earlier sweeps are left out (42 outside the space: for example, epochs is 5 in an earlier sweep, but 10 in this sweep); ' +
      'change the space, or remove warm_start',
  );
  expect(await runtime.queries.sweeps.all()).toHaveLength(1);
  await submit(epochs(TPE, 5));
});
