import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { RefusedError } from '../../proto/errors.ts';
import { Record as RecordMessage } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { openSpool } from './spool-file.ts';

const KEY = { sweepId: '1', trialId: 't', attempt: 1 };

function newFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-spool-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** The files of a spool that held records when its process died: copied, as libsql keeps what it has opened. */
function leftBehind(records: number): string {
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

test('a spool that another process has is refused', () => {
  const dir = newFolder();
  openSpool(dir);
  expect(() => openSpool(dir)).toThrow(RefusedError);
});

test('what was spooled when the process died is there again', () => {
  const { setAside, spool } = openSpool(leftBehind(3));
  expect(setAside).toBeUndefined();
  expect(spool.after(0, 10).map(({ record }) => record.seq)).toEqual([1, 2, 3]);
});

test.each<[string, (path: string) => void]>([
  ['no database at all', (path) => writeFileSync(path, 'power was lost here\n'.repeat(500))],
  ['cut short', (path) => truncateSync(path, 3 * 4096 + 7)],
])('a spool that is %s is set aside, and the agent works with a new one', (_, damage) => {
  // More than its log holds before it is written into the file itself.
  const dir = leftBehind(12_000);
  rmSync(join(dir, 'spool.db-wal'));
  damage(join(dir, 'spool.db'));
  const before = readFileSync(join(dir, 'spool.db'));
  const { setAside, spool } = openSpool(dir);
  expect(setAside).toBe(join(dir, 'spool.db.damaged'));
  expect(readFileSync(join(dir, 'spool.db.damaged')).length).toBe(before.length);
  expect(spool.oldest()).toBeUndefined();
  spool.add([RecordMessage.fromPartial({ key: KEY, seq: 1 })]);
  expect(spool.attempts()).toEqual([KEY]);
  expect(existsSync(join(dir, 'spool.db'))).toBe(true);
});
