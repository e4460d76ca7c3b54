import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { ArtifactFiles } from './files.ts';
import { moveToOrphans, orphanSetName, orphanSets, orphanSetTime, removeOrphanSets } from './orphans.ts';

const AT = Date.UTC(2026, 10, 28, 22, 15, 40, 7);

function folderWith(...paths: string[]): string {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-orphans-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const path of paths) write(dir, path);
  return dir;
}

function write(dir: string, path: string, content = path): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), content);
}

test('the name of a set of orphans gives the time when the set was created', () => {
  const times = fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) });
  fc.assert(
    fc.property(times, fc.integer({ min: 1, max: 99 }), (at, number) => {
      expect(orphanSetTime(orphanSetName(at, number))).toBe(at);
    }),
  );
  expect(orphanSetName(AT, 1)).toBe('2026-11-28T22-15-40.007Z');
});

test('orphans keep their paths, and two sets of orphans from the same millisecond have different names', async () => {
  const dir = folderWith('artifacts/1/t/1/a/model.pt');
  await moveToOrphans(dir, ['artifacts/1/t/1/a/model.pt'], AT);
  write(dir, 'artifacts/1/t/1/a/model.pt', 'second');
  await moveToOrphans(dir, ['artifacts/1/t/1/a/model.pt'], AT);
  const read = (set: string) => readFileSync(join(dir, 'orphans', set, 'artifacts/1/t/1/a/model.pt'), 'utf8');
  expect(read('2026-11-28T22-15-40.007Z')).toBe('artifacts/1/t/1/a/model.pt');
  expect(read('2026-11-28T22-15-40.007Z-2')).toBe('second');
  expect(existsSync(join(dir, 'artifacts/1/t/1/a/model.pt'))).toBe(false);
});

test('no set of orphans is created if there are no orphans', async () => {
  const dir = folderWith();
  await moveToOrphans(dir, [], AT);
  expect(await orphanSets(dir)).toEqual([]);
  expect(existsSync(join(dir, 'orphans'))).toBe(false);
});

test('only sets of orphans that are old enough are removed, and other folders are kept', async () => {
  const dir = folderWith('a', 'b', 'orphans/notes/c');
  await moveToOrphans(dir, ['a'], AT);
  await moveToOrphans(dir, ['b'], AT + 1_000);
  const old = { name: '2026-11-28T22-15-40.007Z', files: 1, bytes: 1 };
  expect(await removeOrphanSets(dir, AT, true)).toEqual([old]);
  expect(await orphanSets(dir)).toHaveLength(2);
  expect(await removeOrphanSets(dir, AT, false)).toEqual([old]);
  expect((await orphanSets(dir)).map(({ name }) => name)).toEqual(['2026-11-28T22-15-41.007Z']);
  expect(existsSync(join(dir, 'orphans/notes/c'))).toBe(true);
});

test('if the folder of artifacts is a link to a wrong folder, files outside the folders of sweeps are not moved', async () => {
  const dir = folderWith();
  const other = folderWith('etc/passwd', 'proc/1/2/status', '7/t/1/unnamed', 'README');
  symlinkSync(other, join(dir, 'artifacts'));
  expect(await new ArtifactFiles(dir).moveOrphans(async () => false, AT)).toBe(1);
  expect(existsSync(join(other, '7/t/1/unnamed'))).toBe(false);
  for (const path of ['etc/passwd', 'proc/1/2/status', 'README']) expect(existsSync(join(other, path))).toBe(true);
});
