import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Record as RecordMessage } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { GATHER_MS, PATIENT_GATHER_MS } from './gathering.ts';
import { DISK_RETRY_MS, RecordWriter } from './record-writer.ts';
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
  const gathering = { schedule: () => {} };
  const records = new RecordWriter(spool as unknown as Spool, 'folder', gathering, events, pino({ level: 'silent' }));
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

test('the end of an attempt is written soon unless all slots are busy, a returned attempt is always written soon, and other records wait longer', () => {
  const gaps: number[] = [];
  const gathering = { schedule: (gapMs?: number) => gaps.push(gapMs ?? 0) };
  const events = { onSpooled: () => {}, onDiskFullChanged: () => {} };
  const spool = { add: () => {} };
  const records = new RecordWriter(spool as unknown as Spool, 'folder', gathering, events, pino({ level: 'silent' }));
  const gapsOf = (areSlotsBusy: boolean) => {
    const bodies = [
      { kind: 'report', epoch: 1, metrics: {} },
      { kind: 'log', text: 'x' },
      { kind: 'succeeded' },
      { kind: 'failed', class: 'crash', message: 'x' },
      { kind: 'returned' },
    ] as const;
    for (const [at, body] of bodies.entries()) records.add(key('a'), at + 1, body, areSlotsBusy);
    return gaps.splice(0);
  };
  expect(gapsOf(false)).toEqual([PATIENT_GATHER_MS, PATIENT_GATHER_MS, GATHER_MS, GATHER_MS, GATHER_MS]);
  expect(gapsOf(true)).toEqual([PATIENT_GATHER_MS, PATIENT_GATHER_MS, PATIENT_GATHER_MS, PATIENT_GATHER_MS, GATHER_MS]);
});

test('while the disk is full, only one repetition of the write is scheduled, however many writes fail, and new records request no write', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  let writes = 0;
  const spool = {
    add: () => {
      writes += 1;
      throw Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
    },
  };
  const gathering = { schedule: vi.fn() };
  const events = { onSpooled: () => {}, onDiskFullChanged: () => {} };
  const records = new RecordWriter(spool as unknown as Spool, 'folder', gathering, events, pino({ level: 'silent' }));
  records.add(key('a'), 1, { kind: 'succeeded' });
  for (let request = 0; request < 5; request++) records.flush();
  expect(writes).toBe(5);
  records.add(key('b'), 1, { kind: 'succeeded' });
  expect(gathering.schedule).toHaveBeenCalledOnce();
  vi.advanceTimersByTime(10 * DISK_RETRY_MS);
  expect(writes).toBe(15);
});
