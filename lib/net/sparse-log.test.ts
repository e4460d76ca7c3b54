import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { LOG_EVERY_MS, SparseLog } from './sparse-log.ts';

test('the first of many events is logged, and the next line counts the suppressed events', async () => {
  const lines: { from: number; suppressed?: number }[] = [];
  const sparse = new SparseLog(pino({}, { write: (line) => void lines.push(JSON.parse(line)) }), 'refused');
  for (let from = 0; from < 100; from++) sparse.warn({ from });
  await sleep(LOG_EVERY_MS + 10);
  sparse.warn({ from: 100 });
  expect(lines).toMatchObject([
    { from: 0, msg: 'refused' },
    { from: 100, suppressed: 99 },
  ]);
});
