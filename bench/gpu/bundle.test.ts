import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { Random, STREAMS } from '../../agent/trainers/autoencoder/random.ts';
import { packageRoot } from '../../bin/package.ts';
import { testFolder } from '../../test/support/folder.ts';
import { bundleEntries, OMITTED, writeBundle } from './bundle.ts';
import { CUDA_LIBRARIES } from './machine.ts';

const PIECE = 4_096;
let folder: string;
let root: string;
let cache: string;
let node: string;

/** Random bytes, which cannot be compressed. */
function bytes(count: number, seed: number): Buffer {
  const random = new Random(seed, STREAMS.weights);
  return Buffer.from(Uint8Array.from({ length: count }, () => random.uniform() * 256));
}

function put(path: string, content: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

beforeEach(() => {
  folder = testFolder();
  [root, cache, node] = [join(folder, 'trawl'), join(folder, 'cache'), join(folder, 'node')];
  put(join(root, 'package.json'), '{}');
  put(join(root, 'docs', 'gpu.md'), 'documentation');
  put(join(root, 'bench', 'gpu', 'run.ts'), 'tracked');
  for (const args of [
    ['init', '-q'],
    ['add', '.'],
  ])
    spawnSync('git', args, { cwd: root });
  put(join(root, 'dist', 'run.js'), 'built');
  put(join(root, 'trawl-data', 'token'), 'secret');
  put(join(root, 'pieces', 'part-000'), 'an earlier bundle');
  put(join(root, 'node_modules', 'knip', 'index.js'), 'unused');
  put(join(root, 'node_modules', 'zod', 'index.js'), 'used');
  put(join(root, 'node_modules', '@tensorflow', 'tfjs-node', 'deps', 'lib'), 'of this machine');
  put(node, '#!/bin/sh\necho "node $*"\n');
  chmodSync(node, 0o755);
  put(join(cache, 'bin', 'nats-server'), 'nats');
  const library = join(cache, 'libtensorflow', '2.18.1-cuda-wheel');
  put(join(library, 'tensorflow', 'libtensorflow_cc.so.2'), bytes(9_000, 1));
  put(join(library, 'tensorflow', 'libtensorflow_framework.so.2'), bytes(2_000, 2));
  put(join(library, 'tensorflow', 'include', 'tensorflow', 'c', 'c_api.h'), 'header');
  for (const name of [...CUDA_LIBRARIES, 'libnvJitLink.so.12', 'libcudnn_graph.so.9', 'libnccl.so.2'])
    put(join(library, 'nvidia', name.slice(3, 7), 'lib', name), name);
  put(join(cache, 'libtensorflow', 'bindings', '2.18.1-cuda-wheel-tfjs-4.22.0-napi-v8', 'tfjs_binding.node'), 'addon');
});

function install(pieces: string, target: string) {
  const { status, stdout, stderr } = spawnSync('sh', [join(pieces, 'install.sh'), target], { encoding: 'utf8' });
  return { status, output: `${stdout}${stderr}` };
}

async function bundled(): Promise<string> {
  const out = join(folder, 'pieces');
  const pieces = await writeBundle(bundleEntries(root, cache, node), out, PIECE);
  expect(pieces.length).toBeGreaterThan(2);
  for (const { name, bytes: size } of pieces) expect(statSync(join(out, name)).size).toBe(size);
  expect(pieces.slice(0, -1).every(({ bytes: size }) => size === PIECE)).toBe(true);
  return out;
}

test('install.sh combines pieces that arrive in several transfers, and run.sh starts the benchmark', async () => {
  const out = await bundled();
  const target = join(folder, 'there');
  const parts = readdirSync(out).filter((name) => name.startsWith('part-'));
  for (const [at, part] of parts.entries()) {
    const transfer = join(folder, `transfer-${at}`);
    for (const name of [part, 'install.sh', 'SHA256SUMS'])
      cpSync(join(out, name), join(transfer, name), { recursive: true });
    const { status, output } = install(transfer, target);
    if (at < parts.length - 1) {
      expect(output).toContain(`install: ${at + 1} of ${parts.length} pieces are here; missing: part-00${at + 1}`);
      expect(status).toBe(3);
    } else {
      expect(output).toBe(`installed: sh ${target}/run.sh\n`);
      expect(status).toBe(0);
    }
  }
  const library = 'cache/trawl/libtensorflow/2.18.1-cuda-wheel';
  expect(readFileSync(join(target, library, 'tensorflow/libtensorflow_cc.so.2'))).toEqual(bytes(9_000, 1));
  expect(readFileSync(join(target, library, 'nvidia/cubl/lib/libcublasLt.so.12'), 'utf8')).toBe('libcublasLt.so.12');
  expect(existsSync(join(target, library, 'nvidia/nccl'))).toBe(false);
  const modules = join(target, 'checkout', 'node_modules');
  expect(readdirSync(modules).sort()).toEqual(['@tensorflow', 'zod']);
  expect(existsSync(join(modules, '@tensorflow', 'tfjs-node', 'deps'))).toBe(false);
  // The installation omits .git, docs, pieces, and trawl-data with its token.
  expect(readdirSync(join(target, 'checkout')).sort()).toEqual(['bench', 'dist', 'node_modules', 'package.json']);
  const run = spawnSync('sh', [join(target, 'run.sh'), '--only', 'machine'], { encoding: 'utf8' });
  expect(run.stdout).toBe('node dist/bench/gpu/run.js --all --only machine\n');
  expect(install(out, target)).toEqual({ status: 0, output: `installed: sh ${target}/run.sh\n` });
});

test('an installation that was interrupted while it unpacked is completed', async () => {
  const out = await bundled();
  const target = join(folder, 'there');
  mkdirSync(join(target, 'parts'), { recursive: true });
  writeFileSync(join(target, 'run.sh'), 'half of the scr');
  expect(install(out, target).status).toBe(0);
  expect(readFileSync(join(target, 'run.sh'), 'utf8')).toContain('exec node');
});

test('a damaged piece and the pieces of another bundle are rejected', async () => {
  const out = await bundled();
  const part = join(out, 'part-001');
  const content = readFileSync(part);
  content[7] = (content[7] ?? 0) ^ 1;
  writeFileSync(part, content);
  const target = join(folder, 'there');
  const damaged = install(out, target);
  expect(damaged.output).toContain('install: part-001 is damaged: its SHA-256 is ');
  expect(damaged.status).toBe(1);
  put(join(root, 'package.json'), '{"version": "2"}');
  const other = await bundled();
  expect(install(other, target)).toEqual({
    status: 1,
    output: `install: ${target} has pieces of another bundle; remove this folder first\n`,
  });
});

test('a bundle omits only packages that trawl does not need at run time', () => {
  const lock: { packages: Record<string, { dev?: boolean }> } = JSON.parse(
    readFileSync(join(packageRoot(), 'package-lock.json'), 'utf8'),
  );
  const packages = OMITTED.filter((path) => !/\/(\.bin|deps|napi-v\*)$/.test(path));
  for (const path of packages) {
    const pattern = new RegExp(`^${path.replaceAll('*', '[^/]*')}(/|$)`);
    const omitted = Object.entries(lock.packages).filter(([name]) => pattern.test(name));
    expect(omitted.length, path).toBeGreaterThan(0);
    for (const [name, { dev }] of omitted) expect(dev, name).toBe(true);
  }
});

test('no bundle is made if libtensorflow for GPUs or nats-server is missing', () => {
  expect(() => bundleEntries(root, join(folder, 'nothing'), node)).toThrow('npm run setup:native -- --cuda');
  const empty = join(folder, 'other');
  cpSync(cache, empty, { recursive: true });
  writeFileSync(join(empty, 'bin', 'x'), '');
  cpSync(join(cache, 'libtensorflow'), join(folder, 'no-nats', 'libtensorflow'), { recursive: true });
  expect(() => bundleEntries(root, join(folder, 'no-nats'), node)).toThrow('nats-server is missing');
});
