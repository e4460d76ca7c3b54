import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { Record as RecordMessage } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { RecordWriter } from './record-writer.ts';
import type { Spool } from './spool.ts';

const key = (trialId: string) => ({ sweepId: '1', trialId, attempt: 1 });

test('while the disk is full, the agent renews the leases of attempts whose results are not stored yet, but not the leases of returned attempts', () => {
  const written: RecordMessage[] = [];
  let isFull = true;
  const spool = {
    add: (records: readonly RecordMessage[]) => {
      if (isFull) throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
      written.push(...records);
    },
  };
  const events = { onSpooled: () => {}, onDiskFullChanged: () => {} };
  const records = new RecordWriter(spool as unknown as Spool, 'folder', events, pino({ level: 'silent' }));
  records.add(key('ended'), 1, { kind: 'log', text: 'x' });
  records.add(key('ended'), 2, { kind: 'succeeded' });
  records.add(key('returned'), 1, { kind: 'returned' });
  records.flush();
  expect(records.isDiskFull).toBe(true);
  expect(records.leasedAttempts()).toEqual([key('ended')]);
  expect(records.attempts()).toEqual([key('ended'), key('returned')]);
  isFull = false;
  records.flush();
  expect(written).toHaveLength(3);
  expect(records.leasedAttempts()).toEqual([]);
});
