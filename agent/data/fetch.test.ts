import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UnreachableError } from '../../proto/errors.ts';
import type { DataFile, DatasetSpec } from './catalog.ts';
import { ensureDataset } from './fetch.ts';
import { type DatasetSource, installedFolder, mirror } from './sources.ts';

const CONTENT: Readonly<Record<string, Buffer>> = {
  a: Buffer.from('train images'),
  b: Buffer.from('train labels'),
  c: Buffer.from('test images'),
  d: Buffer.from('test labels'),
};

let dataDir: string;
let server: Server;
let served: Map<string, Buffer>;
let url: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'trawl-resolve-test-'));
  served = new Map(Object.entries(CONTENT).map(([name, bytes]) => [`/${name}.gz`, gzipSync(bytes)]));
  server = createServer((request, response) => {
    const body = served.get(request.url ?? '');
    response.writeHead(body ? 200 : 404).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(dataDir, { recursive: true, force: true });
});

function dataset(...sources: readonly DatasetSource[]): DatasetSpec {
  const file = (name: string): DataFile => {
    const bytes = CONTENT[name] ?? Buffer.alloc(0);
    return { name, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  };
  return {
    name: 'mnist',
    trainImages: file('a'),
    trainLabels: file('b'),
    testImages: file('c'),
    testLabels: file('d'),
    sources,
  };
}

async function cached(): Promise<Record<string, Buffer>> {
  const folder = join(dataDir, 'mnist');
  const names = await readdir(folder).catch(() => []);
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))])));
}

test('the cache can be filled from a mirror', async () => {
  await ensureDataset(dataset(mirror(url)), dataDir);
  expect(await cached()).toEqual(CONTENT);
});

test('the cache can be filled from a folder of gzipped files', async () => {
  const folder = join(dataDir, 'installed');
  await mkdir(folder);
  for (const [name, bytes] of Object.entries(CONTENT)) await writeFile(join(folder, `${name}.gz`), gzipSync(bytes));
  await ensureDataset(dataset(installedFolder(folder)), dataDir);
  expect(await cached()).toEqual(CONTENT);
});

test('a source with a missing or wrong file is skipped', async () => {
  const wrong = gzipSync(Buffer.from('train_images'));
  served.set('/wrong/a.gz', wrong);
  const spec = dataset(installedFolder('/nowhere'), mirror(`${url}/wrong`), mirror(`${url}/missing`), mirror(url));
  await ensureDataset(spec, dataDir);
  expect(await cached()).toEqual(CONTENT);
});

test('only missing files are fetched', async () => {
  await ensureDataset(dataset(mirror(url)), dataDir);
  await rm(join(dataDir, 'mnist', 'c'));
  for (const name of ['a', 'b', 'd']) served.delete(`/${name}.gz`);
  await ensureDataset(dataset(mirror(url)), dataDir);
  expect(await cached()).toEqual(CONTENT);
});

test('if no source has the data set, the error lists the problem of each source and a remedy; nothing is cached', async () => {
  served.set('/wrong/a.gz', gzipSync(Buffer.from('train_images')));
  const closed = 'http://127.0.0.1:1';
  const spec = dataset(installedFolder('/nowhere'), mirror(`${url}/missing`), mirror(`${url}/wrong`), mirror(closed));
  const failure = await ensureDataset(spec, dataDir).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(UnreachableError);
  const message = failure instanceof Error ? failure.message : '';
  expect(message).toContain('could not fetch the data set mnist');
  expect(message).toMatch(/\/nowhere: ENOENT/);
  expect(message).toMatch(/\/missing: a.gz: HTTP 404/);
  expect(message).toMatch(/\/wrong: a has SHA-256/);
  expect(message).toContain(closed);
  expect(message).toContain(`into ${dataDir}/mnist.`);
  expect(await cached()).toEqual({});
});

test('decompression stops at the expected size of the file', async () => {
  served.set('/a.gz', gzipSync(Buffer.alloc(10_000_000)));
  await expect(ensureDataset(dataset(mirror(url)), dataDir)).rejects.toThrow(/Cannot create a Buffer larger than 12/);
});

test.each(['/proc/trawl', 'file', 'file/below'])(
  'a cache folder that cannot be created (%s) is rejected before anything is fetched',
  async (path) => {
    await writeFile(join(dataDir, 'file'), '');
    const requests: string[] = [];
    server.on('request', ({ url: requested }) => requests.push(requested ?? ''));
    const cache = path.startsWith('/') ? path : join(dataDir, path);
    await expect(ensureDataset(dataset(mirror(url)), cache)).rejects.toThrow(
      /^the data set cache \S+ cannot be used: /,
    );
    expect(requests).toEqual([]);
  },
);
