import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { PLAIN_POLICY } from '../../test/support/coordinator/sample-core.ts';
import { insertSweep } from '../../test/support/coordinator/sqlite-writes.ts';
import { firstTrials } from '../grid/enumerate.ts';
import { initialState } from '../grid/trials.ts';
import { loadCore } from '../store/load.ts';
import { openStore } from '../store/open.ts';
import { SqliteReader } from '../store/reader.ts';
import { SqliteStore } from '../store/sqlite-store.ts';
import { parseSweep } from '../sweepfile/parse.ts';
import { sourceOpener } from './trial-sources.ts';

const GRID =
  'trainer: noop\nparameters: {a: {min: 1, max: 5, step: 1}, b: {values: [1, 2]}}\nwhen: [{if: {a: 2}, set: {b: 7}}]\n';

function storeWith(text: string) {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-sources-'));
  const db = openStore(dir);
  onTestFinished(() => {
    db.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const { trials, state, done } = firstTrials(parseSweep(GRID, 's.yaml'), { trials: 3, points: 100 });
  const facts = { requestId: 'r', name: 's', fingerprint: 'f', fileName: 's.yaml', text, trainer: 'noop' };
  const counts = { metric: 'm', goal: 'minimize', axes: [], configs: 9, replicates: 1, excluded: 0, priority: 0 };
  insertSweep(db, { ...facts, ...counts, policy: PLAIN_POLICY, search: { planned: 9, state, done } }, trials, 1);
  return db;
}

test('a trial source continues after the stored trials, and drops a point that already has a trial', async () => {
  const db = storeWith(GRID);
  const search = (
    await loadCore(new SqliteReader(db), { leaseMs: 1_000, now: 0, openSource: sourceOpener(new SqliteStore(db, '')) })
  ).sweeps.get('1')?.search;
  expect(search?.state).toMatchObject({ created: 3, points: 3 });
  if (search !== undefined) await search.source.prepare(search.state);
  const dropped = search?.source.next(search.state, () => false);
  expect(dropped).toMatchObject({ kind: 'dropped', state: { created: 3, points: 4, duplicates: 1 } });
  if (dropped?.kind !== 'dropped') throw new Error('the source did not drop the equal point');
  expect(search?.source.next(dropped.state, () => false)).toMatchObject({
    kind: 'trial',
    trial: { index: 3, parameters: { a: 3, b: 1 } },
  });
});

test('a coordinator starts even if this version of trawl rejects a stored sweep file', async () => {
  const db = storeWith('{trainer: noop, parameters: {a: {value: 1}}, unknown_key: 1}');
  const source = (
    await loadCore(new SqliteReader(db), { leaseMs: 1_000, now: 0, openSource: sourceOpener(new SqliteStore(db, '')) })
  ).sweeps.get('1')?.search?.source;
  expect(source?.problem).toMatch(/^this version of trawl rejects its sweep file: s\.yaml:1:/);
});

test('a source uses the parsed file of a request only if the stored file has the same text', async () => {
  const open = sourceOpener(new SqliteStore(storeWith(GRID), ''));
  const text = 'trainer: noop\nparameters: {a: {value: 100}}\n';
  const spec = parseSweep(text, 's.yaml');
  const first = async (stored: string) => {
    const source = open({ id: '2', text: stored, fileName: 's.yaml' }, { text, spec });
    const state = initialState(spec);
    await source.prepare(state);
    return source.next(state, () => false);
  };
  expect(await first(text)).toMatchObject({ trial: { parameters: { a: 100 } } });
  expect(await first(GRID)).toMatchObject({ trial: { parameters: { a: 1 } } });
});

test('a source of a search that uses results waits until it has read the results', async () => {
  const text =
    'trainer: noop\nmethod: bayes\nmetric: {name: test_loss, goal: minimize}\nparameters: {a: {min: 0.0, max: 1.0}}\n';
  const source = sourceOpener(new SqliteStore(storeWith(GRID), ''))({ id: '1', text, fileName: 's.yaml' });
  const state = initialState(parseSweep(text, 's.yaml'));
  expect(source.next(state, () => false)).toEqual({ kind: 'wait' });
  expect(source.isUnprepared).toBe(true);
  await source.prepare(state);
  expect(source.isUnprepared).toBe(false);
  expect(source.next(state, () => false)).toMatchObject({ kind: 'trial' });
});
