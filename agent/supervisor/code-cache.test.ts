import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { appendFile, readFile, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CodeArchive } from '../../proto/gen/trawl/v1/types.ts';
import { CodeCache } from './code-cache.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-code-cache-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const log = pino({ level: 'silent' });
const wanted = () => true;

function archive(text: string): CodeArchive {
  return { sha256: createHash('sha256').update(text).digest('hex'), size: text.length };
}

/**
 * Returns a cache, and the offsets at which its downloads begin. The simulated coordinator has one archive per text.
 * `interfere` can make a download fail, or change its bytes.
 */
function cacheOf(
  texts: readonly string[],
  interfere: (path: string, rest: string) => string | Promise<string> = (_, rest) => rest,
) {
  const offsets: number[] = [];
  const downloadCode = async ({ sha256 }: CodeArchive, path: string) => {
    const text = texts.find((one) => archive(one).sha256 === sha256) ?? '';
    const offset = await stat(path).then(
      ({ size }) => size,
      () => 0,
    );
    offsets.push(offset);
    await appendFile(path, await interfere(path, text.slice(offset)));
  };
  return { offsets, cache: new CodeCache({ dir, client: { downloadCode }, log, maxBytes: 30 }) };
}

const error = (code: string | number, message = 'failed') => Object.assign(new Error(message), { code });
const pathOf = (name: string) => join(dir, 'attempts', name, 'code.tar');
const cached = () =>
  readdirSync(join(dir, 'code'))
    .filter((name) => name.endsWith('.tar'))
    .sort();

test('concurrent attempts with the same archive share one download, and later attempts use the cache', async () => {
  const { cache, offsets } = cacheOf(['some code'], async (_, rest) => {
    await sleep(20);
    return rest;
  });
  await Promise.all(['a', 'b', 'c'].map((name) => cache.provide(archive('some code'), pathOf(name), wanted)));
  await cache.provide(archive('some code'), pathOf('d'), wanted);
  expect(offsets).toEqual([0]);
  for (const name of ['a', 'b', 'c', 'd']) expect(readFileSync(pathOf(name), 'utf8')).toBe('some code');
});

test('after an agent was killed during a download, the download is resumed, and the incomplete archive is never used', async () => {
  const { sha256 } = archive('some code');
  mkdirSync(join(dir, 'code', '.parts'), { recursive: true });
  writeFileSync(join(dir, 'code', '.parts', sha256), 'some');
  const { cache, offsets } = cacheOf(['some code']);
  await cache.provide(archive('some code'), pathOf('a'), wanted);
  expect(offsets).toEqual([4]);
  expect(readFileSync(pathOf('a'), 'utf8')).toBe('some code');
  expect(readdirSync(join(dir, 'code', '.parts'))).toEqual([]);
});

test('a partial download that is damaged is discarded', async () => {
  const { sha256 } = archive('some code');
  mkdirSync(join(dir, 'code', '.parts'), { recursive: true });
  writeFileSync(join(dir, 'code', '.parts', sha256), 'XXXX');
  const { cache, offsets } = cacheOf(['some code']);
  await cache.provide(archive('some code'), pathOf('a'), wanted);
  expect(offsets).toEqual([4, 0]);
});

test('a damaged archive in the cache is downloaded again', async () => {
  const { sha256 } = archive('some code');
  mkdirSync(join(dir, 'code'), { recursive: true });
  writeFileSync(join(dir, 'code', `${sha256}.tar`), 'same code');
  const { cache, offsets } = cacheOf(['some code']);
  await cache.provide(archive('some code'), pathOf('a'), wanted);
  expect(offsets).toEqual([0]);
  expect(readFileSync(pathOf('a'), 'utf8')).toBe('some code');
});

test('a download from an unreachable coordinator is retried as long as an attempt needs the code', async () => {
  let failures = 0;
  const { cache } = cacheOf(['some code'], (_, rest) => {
    if (failures++ < 2) throw error(status.UNAVAILABLE);
    return rest;
  });
  await cache.provide(archive('some code'), pathOf('a'), wanted);
  expect(failures).toBe(3);
  let isWanted = true;
  const { cache: other } = cacheOf([], () => {
    isWanted = false;
    throw error(status.UNAVAILABLE, 'no connection');
  });
  await expect(other.provide(archive('other'), pathOf('b'), () => isWanted)).rejects.toThrow(
    /could not download the code archive [0-9a-f]{12}: no connection/,
  );
});

test('a download that keeps failing ends with an error that contains the reason', { timeout: 30_000 }, async () => {
  const { cache } = cacheOf(['some code'], () => 'damaged!!');
  await expect(cache.provide(archive('some code'), pathOf('a'), wanted)).rejects.toThrow('it was damaged in transit');
  expect(existsSync(pathOf('a'))).toBe(false);
  expect(readdirSync(join(dir, 'code', '.parts'))).toEqual([]);
});

test('the error of a download to a full disk contains the reason', async () => {
  const { cache } = cacheOf(['some code'], () => {
    throw error('ENOSPC', 'no space left on device');
  });
  await expect(cache.provide(archive('some code'), pathOf('a'), wanted)).rejects.toThrow(
    "the agent's disk is full: could not store the code: no space left on device",
  );
});

test('the least recently used archives are removed from the cache, but attempts keep their own links to the archives', async () => {
  const texts = ['first-----', 'second----', 'third-----', 'fourth----'];
  const { cache } = cacheOf(texts);
  const name = (text: string) => `${archive(text).sha256}.tar`;
  for (const [at, text] of texts.slice(0, 3).entries()) {
    await cache.provide(archive(text), pathOf(text), wanted);
    utimesSync(join(dir, 'code', name(text)), 1_000 + at, 1_000 + at);
  }
  await cache.provide(archive('first-----'), pathOf('again'), wanted);
  await cache.provide(archive('fourth----'), pathOf('fourth'), wanted);
  expect(cached()).toEqual([name('first-----'), name('third-----'), name('fourth----')].sort());
  expect(await readFile(pathOf('second----'), 'utf8')).toBe('second----');
});

test('partial downloads are removed after a day without progress', async () => {
  const old = join(dir, 'code', '.parts', 'a'.repeat(64));
  mkdirSync(dirname(old), { recursive: true });
  writeFileSync(old, 'x');
  utimesSync(old, 1_000, 1_000);
  const { cache } = cacheOf(['some code']);
  await cache.provide(archive('some code'), pathOf('a'), wanted);
  expect(existsSync(old)).toBe(false);
});

test('an invalid checksum from a coordinator is never used in a path', async () => {
  const { cache } = cacheOf([]);
  await expect(cache.provide({ sha256: '../../x', size: 1 }, pathOf('a'), wanted)).rejects.toThrow(
    'invalid code archive',
  );
});
