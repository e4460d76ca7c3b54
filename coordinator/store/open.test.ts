import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { STORE_FILE, writeCoordinatorFile } from '../../lib/files/coordinator-file.ts';
import { RejectedError } from '../../proto/errors.ts';
import { copyStore, openStore } from './open.ts';

const PAGE = 4096;

function newFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-open-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/**
 * Returns the path of a filled store. The store is a copy that is not open, because libsql keeps the lock of an opened
 * store until the process ends.
 */
function filledStore(): string {
  const db = openStore(newFolder());
  db.exec('begin');
  const log = db.prepare("insert into logs values (1, 't', 1, ?, 0, ?)");
  for (let seq = 1; seq <= 1_000; seq++) log.run(seq, `${seq} `.repeat(100));
  db.exec('commit');
  const path = join(newFolder(), STORE_FILE);
  copyStore(db, path);
  return path;
}

function overwrite(path: string, offset: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
}

function refusalOf(path: string): string {
  try {
    openStore(dirname(path));
  } catch (error) {
    expect(error).toBeInstanceOf(RejectedError);
    return `${error}`;
  }
  return 'it was opened';
}

test.each([
  ['a folder', (path: string) => mkdirSync(path)],
  ['a device', (path: string) => symlinkSync('/dev/null', path)],
  ['a link to itself', (path: string) => symlinkSync(STORE_FILE, path)],
  ['a link to nothing', (path: string) => symlinkSync('nothing', path)],
] as const)('%s in place of the store is rejected', (_, create) => {
  const path = join(newFolder(), STORE_FILE);
  create(path);
  expect(refusalOf(path)).toContain(`the store ${path} is not a file`);
});

test('an undamaged store can be opened', () => {
  expect(refusalOf(filledStore())).toBe('it was opened');
});

test.each<[string, (path: string) => void]>([
  ['cut short', (path) => truncateSync(path, 20 * PAGE + 100)],
  ['overwritten in the middle', (path) => overwrite(path, 30 * PAGE, Buffer.alloc(PAGE, 0xab))],
  ['overwritten with zeros in the middle', (path) => overwrite(path, 30 * PAGE, Buffer.alloc(PAGE))],
  ['overwritten at its beginning', (path) => overwrite(path, 0, Buffer.alloc(100, 0xab))],
  ['replaced by another file', (path) => writeFileSync(path, 'sweep: not a store\n'.repeat(1_000))],
])('a store that is %s is rejected with advice on how to restore it, and is left unchanged', (_, damage) => {
  const path = filledStore();
  damage(path);
  const before = readFileSync(path);
  expect(refusalOf(path)).toMatch(/store\.db is damaged .*"trawl restore FILE --dir NEWDIR/);
  expect(readFileSync(path).equals(before)).toBe(true);
});

test.each<[string, (path: string) => void]>([
  ['missing', (path) => rmSync(path)],
  ['empty', (path) => truncateSync(path, 0)],
])('a folder with artifacts is rejected if its store is %s', (state, lose) => {
  const path = filledStore();
  mkdirSync(join(dirname(path), 'artifacts', '1'), { recursive: true });
  lose(path);
  expect(refusalOf(path)).toMatch(new RegExp(`is ${state}, but .*artifacts has files`));
});

test('a store in use is rejected with the name of the process that uses it, if known', () => {
  const dir = newFolder();
  openStore(dir);
  expect(refusalOf(join(dir, STORE_FILE))).toMatch(/in use by another process/);
  writeCoordinatorFile(dir, { address: '127.0.0.1:7070', metrics: '', pid: process.pid, tls: false });
  expect(refusalOf(join(dir, STORE_FILE))).toContain(
    `in use by the coordinator at 127.0.0.1:7070 (process ${process.pid})`,
  );
});
