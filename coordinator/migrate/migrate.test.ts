/** Tests migrations between folders. Such migrations need no server. */
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DamagedError, NotFoundError, RejectedError } from '../../proto/errors.ts';
import { SAMPLE_FILES, sampleFolder, sqliteContents } from '../../test/support/coordinator/sample-folder.ts';
import { testFolder } from '../../test/support/folder.ts';
import { rowText, type StoredValue } from '../store/copy/rows.ts';
import { openStore } from '../store/open.ts';
import { type MigrationOptions, migrate } from './migrate.ts';

const options = (dir: string, to: string): MigrationOptions => ({
  dir,
  store: undefined,
  to: { dir: to },
  artifacts: undefined,
  allowMissing: false,
  onProgress: () => {},
  now: 0,
});

/** Returns a copy of a folder, because libsql keeps the lock of the original store until this process ends. */
function copyOf(dir: string): string {
  const copy = `${dir}-copy${Math.random()}`;
  cpSync(dir, copy, { recursive: true });
  return copy;
}

test('a store that was moved to a new folder has all rows, indices, triggers and files, and the token', async () => {
  const parent = testFolder();
  const dir = await sampleFolder(parent);
  const before = readFileSync(join(dir, 'store.db'));
  const to = join(parent, 'new');
  const result = await migrate(options(dir, to));
  expect(readFileSync(join(dir, 'store.db')).equals(before)).toBe(true);
  expect(sqliteContents(join(to, 'store.db'))).toEqual(sqliteContents(join(dir, 'store.db')));
  expect(readdirSync(to).sort()).toEqual(['artifacts', 'code', 'store.db', 'store.high-water', 'token']);
  for (const { path, bytes } of SAMPLE_FILES) expect(readFileSync(join(to, path)).equals(bytes), path).toBe(true);
  expect(readFileSync(join(to, 'token'))).toEqual(readFileSync(join(dir, 'token')));
  expect(result.files).toMatchObject({ files: 4, missing: [] });
  expect(result.tables.filter(({ rows }) => rows === 0)).toEqual([]);
  expect(result.tables.find(({ table }) => table === 'reports')?.rows).toBeGreaterThan(2_500);
  openStore(copyOf(to)).close();
});

test('after a migration, the old store is rejected until its mark file is deleted', async () => {
  const parent = testFolder();
  const dir = await sampleFolder(parent);
  const to = join(parent, 'new');
  await migrate(options(dir, to));
  const moved = copyOf(dir);
  expect(() => openStore(moved)).toThrow(RejectedError);
  expect(() => openStore(moved)).toThrow(`was moved to ${to} on 1970-01-01T00:00:00.000Z: start the coordinator there`);
  await expect(migrate(options(dir, join(parent, 'other')))).rejects.toThrow(`was moved to ${to}`);
  await expect(migrate(options(dir, to))).rejects.toThrow(`was moved to ${to}`);
  expect(existsSync(join(parent, 'other'))).toBe(false);
  rmSync(join(moved, 'moved.json'));
  openStore(moved).close();
});

test('a new folder with files, an old folder without a store and a store in use are rejected, and nothing changes', async () => {
  const parent = testFolder();
  const dir = await sampleFolder(parent);
  const to = join(parent, 'new');
  mkdirSync(to);
  await expect(migrate(options(to, join(parent, 'other')))).rejects.toThrow(NotFoundError);
  writeFileSync(join(to, 'notes.txt'), 'mine');
  await expect(migrate(options(dir, to))).rejects.toThrow('is not empty');
  await expect(migrate(options(dir, dir))).rejects.toThrow('--to-dir must be a new folder');
  const held = copyOf(dir);
  const db = openStore(held);
  await expect(migrate(options(held, join(parent, 'other')))).rejects.toThrow('is in use');
  db.close();
  expect(readdirSync(to)).toEqual(['notes.txt']);
  expect(existsSync(join(parent, 'other'))).toBe(false);
});

test('a damaged file ends the migration, and so does a missing file unless --allow-missing is set', async () => {
  const parent = testFolder();
  const dir = await sampleFolder(parent);
  const to = join(parent, 'new');
  const path = SAMPLE_FILES[0]?.path ?? '';
  appendFileSync(join(dir, path), 'x');
  await expect(migrate(options(dir, to))).rejects.toThrow(DamagedError);
  rmSync(join(dir, path));
  await expect(migrate(options(dir, to))).rejects.toThrow(`1 of the files recorded in the store are missing in ${dir}`);
  expect(() => openStore(copyOf(to))).toThrow(`the copy of ${dir} in`);
  expect(existsSync(join(dir, 'moved.json'))).toBe(false);
  const { files } = await migrate({ ...options(dir, to), allowMissing: true });
  expect(files).toMatchObject({ files: 3, missing: [path] });
});

test('an incomplete copy is continued only for the same store', async () => {
  const parent = testFolder();
  const [dir, other] = [await sampleFolder(parent), await sampleFolder(parent)];
  const to = join(parent, 'new');
  const failed = migrate({
    ...options(dir, to),
    onProgress({ step }) {
      if (step === 'copied') throw new Error('the test ends the migration');
    },
  });
  await expect(failed).rejects.toThrow('the test ends');
  await expect(migrate(options(other, to))).rejects.toThrow(`an incomplete copy of ${dir}, not of ${other}`);
  rmSync(join(to, SAMPLE_FILES[0]?.path ?? ''));
  await migrate(options(dir, to));
  expect(sqliteContents(join(to, 'store.db')).rows).toEqual(sqliteContents(join(dir, 'store.db')).rows);
  expect(existsSync(join(to, SAMPLE_FILES[0]?.path ?? ''))).toBe(true);
});

test('two rows have the same text if and only if they are equal', () => {
  const value = fc.oneof<fc.Arbitrary<StoredValue>[]>(
    fc.bigInt({ min: -3n, max: 3n }),
    fc.double({ noNaN: true, min: -2, max: 2 }),
    fc.string({ unit: fc.constantFrom('n', ';', 't', ':', '1', 'i', '\n'), maxLength: 6 }),
    fc.constant(null),
  );
  const row = fc.array(value, { maxLength: 3 });
  fc.assert(
    fc.property(row, row, (a, b) => {
      const isEqual = a.length === b.length && a.every((each, at) => each === b[at]);
      expect(rowText(a) === rowText(b)).toBe(isEqual);
    }),
  );
});
