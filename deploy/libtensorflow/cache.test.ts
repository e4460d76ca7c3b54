import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cachedFolder, libtensorflowCache, removeLeftovers, spaceProblem } from './cache.mjs';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trawl-cache-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('the cache is in XDG_CACHE_HOME; if this variable is not set, the cache is in the home folder', () => {
  expect(libtensorflowCache({ XDG_CACHE_HOME: '/x' })).toBe('/x/trawl/libtensorflow');
  expect(libtensorflowCache({ HOME: '/home/a' })).toBe('/home/a/.cache/trawl/libtensorflow');
});

test('the cache fills a folder only once', async () => {
  const path = join(folder, 'a');
  const fill = async (place: string) => writeFileSync(join(place, 'file'), 'whole');
  expect(await cachedFolder(path, fill)).toEqual({ path, made: true });
  expect(await cachedFolder(path, () => Promise.reject(new Error('filled again')))).toEqual({ path, made: false });
  expect(readFileSync(join(path, 'file'), 'utf8')).toBe('whole');
});

test('if a folder of the cache cannot be filled completely, its partial files are removed', async () => {
  const fill = async (place: string) => {
    writeFileSync(join(place, 'half'), '');
    throw new Error('interrupted');
  };
  await expect(cachedFolder(join(folder, 'a'), fill)).rejects.toThrow('interrupted');
  expect(readdirSync(folder)).toEqual([]);
});

test('files that a killed setup left are never used as a complete folder', async () => {
  mkdirSync(join(folder, '.filling-dead'));
  const path = join(folder, 'a');
  await cachedFolder(path, async (place) => {
    expect(existsSync(path)).toBe(false);
    writeFileSync(join(place, 'file'), '');
  });
  expect(readdirSync(path)).toEqual(['file']);
});

test('temporary folders of a killed setup are removed after a day, in the cache and in its subfolders; other folders are kept', () => {
  const names = () => readdirSync(folder, { recursive: true }).sort();
  const created = ['.filling-dead', 'whole', 'whole/.filling-dead', 'whole/library'];
  for (const name of created) mkdirSync(join(folder, name));
  removeLeftovers(folder, Date.now() + 23 * 3_600_000);
  expect(names()).toEqual(created);
  removeLeftovers(folder, Date.now() + 25 * 3_600_000);
  expect(names()).toEqual(['whole', 'whole/library']);
});

test('if two processes fill a folder concurrently, both get the complete folder', async () => {
  const path = join(folder, 'a');
  const fill = async (place: string) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(join(place, 'file'), '');
  };
  const both = await Promise.all([cachedFolder(path, fill), cachedFolder(path, fill)]);
  expect(both.map(({ made }) => made).sort()).toEqual([false, true]);
  expect(readdirSync(folder)).toEqual(['a']);
});

test('too little free space is reported with the required and the available size', () => {
  expect(spaceProblem(folder, 1)).toBeNull();
  expect(spaceProblem(folder, 2 ** 60)).toMatch(/ has [0-9.]+ GiB free; unpacking needs 1073741824\.0 GiB/);
});
