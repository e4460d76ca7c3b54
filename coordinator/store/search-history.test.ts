import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { distantStore } from '../../test/support/coordinator/distant-store.ts';
import { addSweep } from '../../test/support/coordinator/store-writer.ts';
import { openStore } from './open.ts';
import { ROWS_PER_PAGE } from './reader.ts';
import { storedSearchHistory } from './search-history.ts';

test('the history of a large search is complete, and is read in pages', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-search-history-'));
  const db = openStore(dir);
  onTestFinished(() => {
    db.close();
    rmSync(dir, { recursive: true, force: true });
  });
  let most = 0;
  const store = distantStore(db, async (_, rows) => {
    most = Math.max(most, rows);
  });
  await addSweep(store, 0);
  const trials = 2 * ROWS_PER_PAGE + 1;
  const numbers = `with recursive numbers (n) as (select 0 union all select n + 1 from numbers where n < ${trials - 1})`;
  db.exec(`
    insert into trials (sweep_id, id, idx, config_id, seed, parameters, state, metrics)
      ${numbers} select 1, 't' || n, n, 'c' || n, 0, '{"a":' || n || '}', 'succeeded', '{"test_loss":' || n || '}' from numbers;
    insert into events (at, sweep_id, trial_id, attempt, kind, detail)
      ${numbers} select 1, 1, 't' || n, 0, 'created', '' from numbers;
    insert into events (at, sweep_id, trial_id, attempt, kind, detail)
      ${numbers} select 2, 1, 't' || n, 1, 'succeeded', '' from numbers;
    insert into warm_starts ${numbers} select 1, n, '{"a":' || n || '}', n from numbers;
    insert into suggestions ${numbers} select 1, n, 'c' || n, '{}', '' from numbers;
  `);
  const history = storedSearchHistory(store.reader, '1');
  await history.refresh();
  const { results, warm, live } = history.read();
  expect(results.map(({ value }) => value)).toEqual([
    ...Array.from({ length: trials }, (_, n) => n),
    ...Array.from({ length: trials }, (_, n) => n),
  ]);
  expect([warm?.length, live.length, history.suggestions().length]).toEqual([trials, 0, trials]);
  expect(history.has(`t${trials - 1}`)).toBe(true);
  expect(most).toBeLessThanOrEqual(ROWS_PER_PAGE);
});
