import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { PLAIN_POLICY } from '../../test/support/coordinator/sample-core.ts';
import { changeWriter, insertSweep } from '../../test/support/coordinator/sqlite-writes.ts';
import { openStore } from './open.ts';
import { Queries } from './queries.ts';
import { SqliteReader } from './reader.ts';

function newSweep(metric: string) {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-metric-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const db = openStore(dir);
  const policy = { ...PLAIN_POLICY, ranking: { metric, goal: 'minimize', at: 'last' } as const };
  const sweep = { requestId: 'r', name: 's', fingerprint: 'f', fileName: 's', text: '', trainer: 'command', policy };
  const more = { metric, goal: 'minimize', axes: [], configs: 2, replicates: 1, excluded: 0, priority: 0 };
  const rows = ['t0', 't1'].map((trialId, index) => {
    return { trialId, configId: `c${index}`, index, seed: 0, parameters: { lr: index } };
  });
  const sweepId = insertSweep(db, { ...sweep, ...more }, rows, 1);
  let write = changeWriter(db);
  let seq = 0;
  return {
    restart() {
      write = changeWriter(db);
    },
    async report(trialId: string, metrics: Record<string, number>) {
      seq += 1;
      const key = { sweepId, trialId, attempt: 1 };
      write({ kind: 'report', key, seq, at: 1, epoch: seq, metrics }, 1, { events: [], dropped: [] });
      const { name, goal } = (await new Queries(new SqliteReader(db)).sweeps.get(sweepId)).metric ?? {};
      return [name, goal];
    },
  };
}

test('a sweep without a metric is ranked by the first metric that occurs in two reports of a trial', async () => {
  const sweep = newSweep('');
  expect(await sweep.report('t0', { lr: 0.1, zeta: 1, val_accuracy: 0.5 })).toEqual(['', 'GOAL_MINIMIZE']);
  expect(await sweep.report('t1', { zeta: 1 })).toEqual(['', 'GOAL_MINIMIZE']);
  sweep.restart();
  expect(await sweep.report('t0', { lr: 0.1, val_accuracy: 0.6 })).toEqual(['val_accuracy', 'GOAL_MAXIMIZE']);
  expect(await sweep.report('t1', { zeta: 2 })).toEqual(['val_accuracy', 'GOAL_MAXIMIZE']);
});

test('a metric that is set in the sweep file is kept', async () => {
  const sweep = newSweep('loss');
  await sweep.report('t0', { zeta: 1 });
  expect(await sweep.report('t0', { zeta: 1 })).toEqual(['loss', 'GOAL_MINIMIZE']);
});
