import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { libraryLayout } from './layout.mjs';
import { OFFICIAL, WHEEL } from './pinned.mjs';
import { obtain, type Pinned, sourcesFor } from './sources.mjs';

let folder: string;
let lines: string[];
const cleanups: (() => void)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trawl-libtensorflow-'));
  lines = [];
});
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  rmSync(folder, { recursive: true, force: true });
});

const cache = () => join(folder, 'cache');
const log = (line: string) => lines.push(line);

function releaseFolder(): string {
  const root = join(folder, 'release');
  for (const place of ['lib', 'include/tensorflow/c']) mkdirSync(join(root, place), { recursive: true });
  for (const file of ['lib/libtensorflow.so.2', 'lib/libtensorflow_framework.so.2', 'include/tensorflow/c/c_api.h'])
    writeFileSync(join(root, file), file);
  return root;
}

function archive(): string {
  const path = join(folder, 'release.tar.gz');
  execFileSync('tar', ['-czf', path, '-C', releaseFolder(), '.']);
  return path;
}

/**
 * Returns pinned sources that need no network. A local server sends `bytes` as the release, or the status 404 if
 * `bytes` is undefined. The wheel does not exist.
 */
async function pinnedTo(bytes: Buffer | undefined, sha256: string): Promise<Pinned> {
  const server = createServer((_request, response) => {
    if (bytes === undefined) response.writeHead(404);
    response.end(bytes);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  const requirements = join(folder, 'requirements.txt');
  writeFileSync(requirements, `${join(folder, 'no.whl')} --hash=sha256:${'0'.repeat(64)}\n`);
  return {
    official: {
      ...OFFICIAL,
      baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      cpu: { file: 'release.tar.gz', sha256 },
    },
    wheel: { ...WHEEL, requirements: { cpu: requirements, cuda: requirements } },
  };
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

test('without a path, the release is tried before the wheel, and each source and variant has its own cache key', async () => {
  const cpu = await sourcesFor({ variant: 'cpu' });
  expect(cpu.map(({ title }) => title)).toEqual(["TensorFlow's own release 2.18.0", 'the wheel tensorflow-cpu 2.18.1']);
  const cuda = await sourcesFor({ variant: 'cuda' });
  expect(cuda[1]?.title).toBe('the wheel tensorflow 2.18.1');
  expect(new Set([...cpu, ...cuda].map(({ key }) => key)).size).toBe(4);
});

test('if the user gives a path, no other source is tried, and a folder is not copied', async () => {
  const from = releaseFolder();
  const sources = await sourcesFor({ from, variant: 'cpu' });
  expect(sources).toHaveLength(1);
  const { folder: found } = await obtain(sources, cache(), log);
  expect(found).toBe(from);
  expect(libraryLayout(found).main).toBe('libtensorflow.so.2');
});

test('a different library in the same folder has a different key, and a folder without a library is rejected', async () => {
  const from = releaseFolder();
  const [before] = await sourcesFor({ from, variant: 'cpu' });
  writeFileSync(join(from, 'lib/libtensorflow.so.2'), 'a newer library');
  const [after] = await sourcesFor({ from, variant: 'cpu' });
  expect(after?.key).not.toBe(before?.key);
  await expect(sourcesFor({ from: folder, variant: 'cpu' })).rejects.toThrow('has no libtensorflow');
});

test('a given archive is unpacked into the cache once', async () => {
  const from = archive();
  const first = await obtain(await sourcesFor({ from, variant: 'cpu' }), cache(), log);
  expect(libraryLayout(first.folder).lib).toBe(join(first.folder, 'lib'));
  lines.length = 0;
  expect((await obtain(await sourcesFor({ from, variant: 'cpu' }), cache(), log)).folder).toBe(first.folder);
  expect(lines).toEqual([`libtensorflow: release.tar.gz, at ${first.folder}`]);
});

test('only the libraries and headers of a given wheel are kept, at the same relative paths', async () => {
  const site = join(folder, 'site');
  const kept = [
    'tensorflow/libtensorflow_cc.so.2',
    'tensorflow/libtensorflow_framework.so.2',
    'tensorflow/include/tensorflow/c/c_api.h',
    'nvidia/cudnn/lib/libcudnn.so.9',
  ];
  for (const file of [...kept, 'tensorflow/python/ops.py', 'tensorflow-9.9.9.dist-info/LICENSE']) {
    mkdirSync(dirname(join(site, file)), { recursive: true });
    writeFileSync(join(site, file), file);
  }
  const from = join(folder, 'tensorflow-9.9.9-cp399-none-any.whl');
  execFileSync('python3', ['-m', 'zipfile', '-c', from, ...readdirSync(site).map((name) => join(site, name))]);
  const { folder: found } = await obtain(await sourcesFor({ from, variant: 'cuda' }), cache(), log);
  expect(libraryLayout(found).main).toBe('libtensorflow_cc.so.2');
  const files = readdirSync(found, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files.map((entry) => relative(found, join(entry.parentPath, entry.name))).sort()).toEqual(
    [...kept, 'licenses/tensorflow-9.9.9.dist-info/LICENSE'].sort(),
  );
});

test('a missing path and an unsupported file are rejected', async () => {
  await expect(sourcesFor({ from: join(folder, 'none'), variant: 'cpu' })).rejects.toThrow('none does not exist');
  writeFileSync(join(folder, 'notes.txt'), '');
  await expect(sourcesFor({ from: join(folder, 'notes.txt'), variant: 'cpu' })).rejects.toThrow(
    'is not a folder, a .whl or a .tar.gz',
  );
});

test('the libtensorflow release is downloaded, verified and unpacked', async () => {
  const bytes = readFileSync(archive());
  const { source, folder: found } = await obtain(
    await sourcesFor({ variant: 'cpu' }, await pinnedTo(bytes, sha256(bytes))),
    cache(),
    log,
  );
  expect(source.key).toBe('2.18.0-cpu-official');
  expect(libraryLayout(found).main).toBe('libtensorflow.so.2');
});

test('a release whose checksum does not match is discarded, the next source is tried, and no files are left', async () => {
  const bytes = readFileSync(archive());
  const failure = obtain(await sourcesFor({ variant: 'cpu' }, await pinnedTo(bytes, '0'.repeat(64))), cache(), log);
  await expect(failure).rejects.toThrow(/no libtensorflow is available.*SHA-256.*the wheel.*--from PATH/s);
  expect(lines[1]).toMatch(/release\.tar\.gz has SHA-256 [0-9a-f]{64}, expected 0+; the file was discarded$/);
  expect(lines[2]).toBe('libtensorflow: the wheel tensorflow-cpu 2.18.1 ...');
  expect(readdirSync(cache())).toEqual([]);
});

test('a release that cannot be downloaded is skipped with a logged reason; a cached source needs no download', async () => {
  const sources = await sourcesFor({ variant: 'cpu' }, await pinnedTo(undefined, ''));
  await expect(obtain(sources, cache(), log)).rejects.toThrow('no libtensorflow is available');
  expect(lines[1]).toMatch(/could not fetch .* \(HTTP 404\)$/);
  lines.length = 0;
  mkdirSync(join(cache(), '2.18.1-cpu-wheel'));
  expect((await obtain(sources, cache(), log)).source.key).toBe('2.18.1-cpu-wheel');
  expect(lines).toHaveLength(1);
  expect(existsSync(join(cache(), '2.18.0-cpu-official'))).toBe(false);
});

test('every requirement has a pinned version and a checksum', () => {
  for (const path of Object.values(WHEEL.requirements)) {
    const wanted = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(wanted.length).toBeGreaterThan(0);
    for (const line of wanted) expect(line).toMatch(/^[a-z0-9-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}$/);
  }
  expect(readFileSync(WHEEL.requirements.cuda, 'utf8')).toContain(`\ntensorflow==${WHEEL.version} `);
});
