import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { layoutOf } from './layout.mjs';
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
const say = (line: string) => lines.push(line);

/** The files of a release, small. */
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

/** Pinned sources that nothing outside this machine serves: the release from a server here, the wheel from nowhere. */
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

test('without a path the release comes first and the wheel second, and each variant has its own place in the cache', async () => {
  const cpu = await sourcesFor({ variant: 'cpu' });
  expect(cpu.map(({ title }) => title)).toEqual(["TensorFlow's own release 2.18.0", 'the wheel tensorflow-cpu 2.18.1']);
  const cuda = await sourcesFor({ variant: 'cuda' });
  expect(cuda[1]?.title).toBe('the wheel tensorflow 2.18.1');
  expect(new Set([...cpu, ...cuda].map(({ key }) => key)).size).toBe(4);
});

test('a path that is given is the only source, and a folder is used where it lies', async () => {
  const from = releaseFolder();
  const sources = await sourcesFor({ from, variant: 'cpu' });
  expect(sources).toHaveLength(1);
  const { folder: found } = await obtain(sources, cache(), say);
  expect(found).toBe(from);
  expect(layoutOf(found).main).toBe('libtensorflow.so.2');
});

test('another library in the same folder has another key, and a folder without one is refused', async () => {
  const from = releaseFolder();
  const [before] = await sourcesFor({ from, variant: 'cpu' });
  writeFileSync(join(from, 'lib/libtensorflow.so.2'), 'a newer library');
  const [after] = await sourcesFor({ from, variant: 'cpu' });
  expect(after?.key).not.toBe(before?.key);
  await expect(sourcesFor({ from: folder, variant: 'cpu' })).rejects.toThrow('has no libtensorflow');
});

test('a given archive is unpacked into the cache once', async () => {
  const from = archive();
  const first = await obtain(await sourcesFor({ from, variant: 'cpu' }), cache(), say);
  expect(layoutOf(first.folder).lib).toBe(join(first.folder, 'lib'));
  lines.length = 0;
  expect((await obtain(await sourcesFor({ from, variant: 'cpu' }), cache(), say)).folder).toBe(first.folder);
  expect(lines).toEqual([`libtensorflow: release.tar.gz, at ${first.folder}`]);
});

test('of a given wheel the libraries and headers are kept where they lay to each other, and nothing else', async () => {
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
  const { folder: found } = await obtain(await sourcesFor({ from, variant: 'cuda' }), cache(), say);
  expect(layoutOf(found).main).toBe('libtensorflow_cc.so.2');
  const files = readdirSync(found, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files.map((entry) => relative(found, join(entry.parentPath, entry.name))).sort()).toEqual(
    [...kept, 'licences/tensorflow-9.9.9.dist-info/LICENSE'].sort(),
  );
});

test('a path that leads nowhere, or to something else, is refused', async () => {
  await expect(sourcesFor({ from: join(folder, 'none'), variant: 'cpu' })).rejects.toThrow('none does not exist');
  writeFileSync(join(folder, 'notes.txt'), '');
  await expect(sourcesFor({ from: join(folder, 'notes.txt'), variant: 'cpu' })).rejects.toThrow(
    'no folder, no .whl and no .tar.gz',
  );
});

test('the release is fetched, checked and unpacked', async () => {
  const bytes = readFileSync(archive());
  const { source, folder: found } = await obtain(
    await sourcesFor({ variant: 'cpu' }, await pinnedTo(bytes, sha256(bytes))),
    cache(),
    say,
  );
  expect(source.key).toBe('2.18.0-cpu-official');
  expect(layoutOf(found).main).toBe('libtensorflow.so.2');
});

test('a release with another checksum is not used, the next source is tried, and nothing is left behind', async () => {
  const bytes = readFileSync(archive());
  const failure = obtain(await sourcesFor({ variant: 'cpu' }, await pinnedTo(bytes, '0'.repeat(64))), cache(), say);
  await expect(failure).rejects.toThrow(/no libtensorflow could be had.*SHA-256.*the wheel.*--from PATH/s);
  expect(lines[1]).toMatch(/release\.tar\.gz has SHA-256 [0-9a-f]{64}, expected 0+; it was not used$/);
  expect(lines[2]).toBe('libtensorflow: the wheel tensorflow-cpu 2.18.1 ...');
  expect(readdirSync(cache())).toEqual([]);
});

test('a release that cannot be fetched is passed over with the reason, and what the cache has is not fetched', async () => {
  const sources = await sourcesFor({ variant: 'cpu' }, await pinnedTo(undefined, ''));
  await expect(obtain(sources, cache(), say)).rejects.toThrow('no libtensorflow could be had');
  expect(lines[1]).toMatch(/cannot be fetched \(HTTP 404\)$/);
  lines.length = 0;
  mkdirSync(join(cache(), '2.18.1-cpu-wheel'));
  expect((await obtain(sources, cache(), say)).source.key).toBe('2.18.1-cpu-wheel');
  expect(lines).toHaveLength(1);
  expect(existsSync(join(cache(), '2.18.0-cpu-official'))).toBe(false);
});

test('every line of the requirements is pinned to a version and a checksum', () => {
  for (const path of Object.values(WHEEL.requirements)) {
    const wanted = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(wanted.length).toBeGreaterThan(0);
    for (const line of wanted) expect(line).toMatch(/^[a-z0-9-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}$/);
  }
  expect(readFileSync(WHEEL.requirements.cuda, 'utf8')).toContain(`\ntensorflow==${WHEEL.version} `);
});
