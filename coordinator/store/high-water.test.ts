import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { RejectedError } from '../../proto/errors.ts';
import { checkHighWater, commitCounted, formatHighWater, HIGH_WATER_FILE, parseHighWater } from './high-water.ts';
import { openStore } from './open.ts';

const COMMITS = 30;
/** The data folder of a coordinator that was killed after `COMMITS` transactions. */
let killed: string;

beforeAll(() => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-high-water-'));
  const db = openStore(dir);
  const insert = db.prepare("insert into logs values (1, 't', 1, ?, 0, ?)");
  for (let seq = 1; seq <= COMMITS; seq++) commitCounted(db, () => insert.run(seq, 'x'.repeat(500)));
  // The files are copied while the store is open, so they are in the state in which `kill -9` leaves them.
  killed = `${dir}-killed`;
  cpSync(dir, killed, { recursive: true });
  db.close();
  return () => {
    for (const folder of [dir, killed]) rmSync(folder, { recursive: true, force: true });
  };
});

function copyOfKilled(): string {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-high-water-copy-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  cpSync(killed, dir, { recursive: true });
  return dir;
}

const logOf = (dir: string) => join(dir, 'store.db-wal');

function problemOf(dir: string): string {
  try {
    checkHighWater(dir);
  } catch (error) {
    expect(error).toBeInstanceOf(RejectedError);
    return `${error}`;
  }
  return 'accepted';
}

test('a formatted high-water mark can be parsed, and any changed byte in it is detected', () => {
  const commits = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
  fc.assert(
    fc.property(commits, fc.nat({ max: 42 }), fc.integer({ min: 1, max: 255 }), (count, at, change) => {
      const mark = { cluster: '0badcafe', commits: count };
      const content = formatHighWater(mark);
      expect(parseHighWater(content)).toEqual(mark);
      const altered = Buffer.from(content, 'latin1');
      altered[at] = (altered[at] ?? 0) ^ change;
      expect(parseHighWater(altered.toString('latin1'))).toBeUndefined();
    }),
  );
});

test('the store of a killed coordinator holds every transaction up to its high-water mark', () => {
  expect(parseHighWater(readFileSync(join(killed, HIGH_WATER_FILE), 'latin1'))?.commits).toBe(COMMITS);
  expect(problemOf(copyOfKilled())).toBe('accepted');
});

test('a store without its write-ahead log is rejected', () => {
  const dir = copyOfKilled();
  rmSync(logOf(dir));
  expect(problemOf(dir)).toMatch(/lost data: it holds 0 of 30 transactions.*"trawl restore FILE --dir NEWDIR"/);
});

test('a write-ahead log that is cut at any offset is rejected and left unchanged', () => {
  const { size } = statSync(logOf(killed));
  for (let cut = 0; cut < 40; cut++) {
    const dir = copyOfKilled();
    truncateSync(logOf(dir), Math.floor((size * cut) / 40));
    const before = readFileSync(logOf(dir));
    expect(problemOf(dir), `cut ${cut} of 40`).toContain('lost data');
    expect(readFileSync(logOf(dir)).equals(before)).toBe(true);
  }
  const dir = copyOfKilled();
  truncateSync(logOf(dir), size - 1);
  expect(problemOf(dir)).toContain(`holds ${COMMITS - 1} of ${COMMITS}`);
});

test('a write-ahead log with one altered byte is rejected and left unchanged', () => {
  const original = readFileSync(logOf(killed));
  // Byte 40 is in the salt of the first frame. Bytes 12 to 15 are left out, because they are a counter that SQLite
  // ignores.
  const offsets = [0, 8, 17, 24, 32, 40, 48, original.length - 1];
  for (let part = 1; part < 40; part++) offsets.push(Math.floor((original.length * part) / 40));
  for (const offset of offsets) {
    const dir = copyOfKilled();
    const altered = Buffer.from(original);
    altered[offset] = (altered[offset] ?? 0) ^ 1;
    writeFileSync(logOf(dir), altered);
    expect(problemOf(dir), `byte ${offset}`).toContain('lost data');
    expect(readFileSync(logOf(dir)).equals(altered)).toBe(true);
  }
});

test('a damaged mark, a missing store and a different store are rejected; a folder without a mark is accepted', () => {
  const damaged = copyOfKilled();
  writeFileSync(join(damaged, HIGH_WATER_FILE), '');
  expect(problemOf(damaged)).toContain('store.high-water is damaged');

  const missing = copyOfKilled();
  rmSync(join(missing, 'store.db'));
  expect(problemOf(missing)).toContain('is missing, but its mark');
  expect(existsSync(join(missing, 'store.db'))).toBe(false);

  const other = copyOfKilled();
  writeFileSync(join(other, HIGH_WATER_FILE), formatHighWater({ cluster: '00000000', commits: 1 }));
  expect(problemOf(other)).toContain('is not the one that was used in this folder before');

  const unmarked = copyOfKilled();
  rmSync(join(unmarked, HIGH_WATER_FILE));
  rmSync(logOf(unmarked));
  expect(problemOf(unmarked)).toBe('accepted');
});
