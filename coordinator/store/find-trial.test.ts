import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { PLAIN_POLICY } from '../../test/support/coordinator/sample-core.ts';
import { insertSweep } from '../../test/support/coordinator/sqlite-writes.ts';
import { openStore } from './open.ts';
import { Queries } from './queries.ts';
import { SqliteReader } from './reader.ts';

/** Returns the queries of a store with the given sweeps, whose ids are 1, 2, ... */
function storeOf(sweeps: Readonly<Record<string, readonly string[]>>): Queries {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-find-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const db = openStore(dir);
  for (const [name, ids] of Object.entries(sweeps)) {
    const sweep = { requestId: name, name, fingerprint: 'f', fileName: 's', text: '', trainer: 'noop' };
    const more = { metric: 'm', goal: 'minimize', axes: [], configs: 1, replicates: 1, excluded: 0, priority: 0 };
    const rows = ids.map((trialId, index) => ({ trialId, configId: 'c', index, seed: 0, parameters: {} }));
    insertSweep(db, { ...sweep, ...more, policy: PLAIN_POLICY }, rows, 1);
  }
  return new Queries(new SqliteReader(db));
}

const SHARED = { 'team/a': ['abc1', 'abd2', 'fff1'], b: ['abc1', 'eee1'] };

test('the id of a trial that exists in several sweeps is ambiguous, and the error lists the candidates', async () => {
  const queries = storeOf(SHARED);
  await expect(queries.selectors.findTrial('', 'abc1')).rejects.toThrow(
    'trial abc1 is ambiguous; choose one of 2/abc1, 1/abc1',
  );
  await expect(queries.selectors.findTrial('', 'abc')).rejects.toThrow('2/abc1, 1/abc1');
  await expect(queries.selectors.findTrial('', 'ab')).rejects.toThrow('2/abc1, 1/abc1, 1/abd2');
  await expect(queries.selectors.findTrial('1', 'ab')).rejects.toThrow('1/abc1, 1/abd2');
});

test.each([
  ['', '1/abc1', '1', 'abc1'],
  ['', '2/abc', '2', 'abc1'],
  ['', 'team/a/abc1', '1', 'abc1'],
  ['', 'last/abc1', '2', 'abc1'],
  ['', 'ee', '2', 'eee1'],
  ['', 'fff1', '1', 'fff1'],
  ['team/a', 'abc', '1', 'abc1'],
  ['b', '2/abc', '2', 'abc1'],
])('with the sweep selector %j, the trial selector %s finds trial %s/%s', async (sweep, selector, sweepId, trialId) => {
  expect(await storeOf(SHARED).selectors.findTrial(sweep, selector)).toEqual({ sweepId, trialId });
});

test.each([
  ['', '3/abc1', 'there is no sweep "3"'],
  ['', '2/fff1', 'there is no trial "fff1" in sweep 2'],
  ['', '2/', 'there is no trial "" in sweep 2'],
  ['', '', 'there is no trial ""'],
  ['1', '2/abc1', '2/abc1 is a trial of sweep 2, but the command names sweep 1'],
])('with the sweep selector %j, the trial selector %s is rejected: %s', async (sweep, selector, message) => {
  await expect(storeOf(SHARED).selectors.findTrial(sweep, selector)).rejects.toThrow(message);
});

test('a long list of candidate trials is truncated', async () => {
  const ids = Array.from({ length: 30 }, (_, n) => `a${String(n).padStart(2, '0')}`);
  const shown = () => storeOf({ one: ids }).selectors.findTrial('', 'a');
  await expect(shown()).rejects.toThrow('1/a19, ...');
  await expect(shown()).rejects.not.toThrow('1/a20');
});
