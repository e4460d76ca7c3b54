import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { RejectedError } from '../../proto/errors.ts';
import { Record as RecordMessage } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { openSpool } from './spool.ts';

const KEY = { sweepId: '1', trialId: 't', attempt: 1 };

function logBody(length: number): RecordMessage['body'] {
  return { $case: 'log', log: { text: 'x'.repeat(length) } };
}

function newFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-spool-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/**
 * Returns a folder with the spool of a process that died. The files are copied, because libsql keeps the original
 * files open until the test process ends.
 */
function spoolOfDeadProcess(records: number): string {
  const dir = newFolder();
  const { spool } = openSpool(dir);
  const text = 'x'.repeat(500);
  const all = Array.from({ length: records }, (_, at) => ({
    key: KEY,
    seq: at + 1,
    atMs: 0,
    body: { $case: 'log', log: { text } },
  }));
  spool.add(all.map((record) => RecordMessage.fromPartial(record as Partial<RecordMessage>)));
  const copy = newFolder();
  for (const name of ['spool.db', 'spool.db-wal']) copyFileSync(join(dir, name), join(copy, name));
  return copy;
}

test('a folder is rejected while its spool is in use', () => {
  const dir = newFolder();
  openSpool(dir);
  expect(() => openSpool(dir)).toThrow(RejectedError);
});

test('spooled records survive the death of the process', () => {
  const { damagedFile, spool } = openSpool(spoolOfDeadProcess(3));
  expect(damagedFile).toBeUndefined();
  expect(spool.after(0, 10).map(({ record }) => record.seq)).toEqual([1, 2, 3]);
});

test.each<[string, (path: string) => void]>([
  ['not a database', (path) => writeFileSync(path, 'power was lost here\n'.repeat(500))],
  ['truncated', (path) => truncateSync(path, 3 * 4096 + 7)],
])('a spool that is %s is moved aside, and the agent starts with an empty spool', (_, damage) => {
  const dir = spoolOfDeadProcess(12_000);
  rmSync(join(dir, 'spool.db-wal'));
  damage(join(dir, 'spool.db'));
  const before = readFileSync(join(dir, 'spool.db'));
  const { damagedFile, spool } = openSpool(dir);
  expect(damagedFile).toBe(join(dir, 'spool.db.damaged'));
  expect(readFileSync(join(dir, 'spool.db.damaged')).length).toBe(before.length);
  expect(spool.isEmpty()).toBe(true);
  spool.add([RecordMessage.fromPartial({ key: KEY, seq: 1 })]);
  expect(spool.attempts()).toEqual([KEY]);
  expect(existsSync(join(dir, 'spool.db'))).toBe(true);
});

const attempt = fc.integer({ min: 1, max: 3 });
/** The operations of an agent on its spool. `length` is the number of characters of a log. */
const operation = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), attempt, length: fc.constantFrom(1, 1, 600_000) }),
  fc.record({ kind: fc.constant('send' as const), limit: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constantFrom('acknowledge' as const, 'discard' as const), attempt }),
  fc.constant({ kind: 'reconnect' as const }),
);

test('each stream sends the records that are in the spool, in order, whether they are in memory or not', () => {
  fc.assert(
    fc.property(fc.array(operation, { minLength: 20, maxLength: 60 }), (operations) => {
      const { spool } = openSpool(newFolder());
      let stored: RecordMessage[] = [];
      let sentUpTo = 0;
      let sentSeq = 0;
      let seq = 0;
      for (const one of operations) {
        if (one.kind === 'add') {
          const key = { ...KEY, attempt: one.attempt };
          const record = { key, seq: ++seq, atMs: 0, body: logBody(one.length) };
          stored.push(record);
          spool.add([record]);
        } else if (one.kind === 'send') {
          const unsent = stored.filter((record) => record.seq > sentSeq).slice(0, one.limit);
          const batch = spool.after(sentUpTo, one.limit);
          expect(batch.map(({ record }) => record)).toEqual(unsent);
          sentUpTo = batch.at(-1)?.id ?? sentUpTo;
          sentSeq = unsent.at(-1)?.seq ?? sentSeq;
        } else if (one.kind === 'reconnect') {
          sentUpTo = 0;
          sentSeq = 0;
        } else {
          const key = { ...KEY, attempt: one.attempt };
          const isRemoved = (record: RecordMessage) =>
            record.key?.attempt === one.attempt && (one.kind === 'discard' || record.seq <= sentSeq);
          stored = stored.filter((record) => !isRemoved(record));
          if (one.kind === 'discard') spool.discard(key);
          else spool.acknowledge([{ key, seq: sentSeq }]);
        }
      }
      expect(spool.size()).toBe(stored.length);
      spool.close();
    }),
    { numRuns: 100 },
  );
});
