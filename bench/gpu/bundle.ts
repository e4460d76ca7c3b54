/**
 * Packs what `bench:gpu -- --all` needs: this checkout with its packages, Node, nats-server, and libtensorflow for GPUs
 * with the CUDA libraries that TensorFlow opens. PyTorch and the driver are not included. The bundle consists of pieces
 * of limited size, for a machine that has no network and to which only small files can be transferred. install.sh puts
 * the pieces together on that machine.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { packageRoot } from '../../bin/package.ts';
import { CUDA_LIBRARIES } from './machine.ts';

/** A file or folder of this machine and its path in the bundle. */
export interface BundleEntry {
  readonly from: string;
  readonly to: string;
}

export interface BundlePiece {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Paths that the bundle omits, such as packages that only linting, type checks and code generation need. */
export const OMITTED = [
  'node_modules/@biomejs',
  'node_modules/@bufbuild/buf',
  'node_modules/@bufbuild/buf-*',
  'node_modules/@typescript',
  'node_modules/dprint-node',
  'node_modules/knip',
  'node_modules/.bin',
  // The installation of libtensorflow on the other machine creates these folders again.
  'node_modules/@tensorflow/*/deps',
  'node_modules/@tensorflow/*/lib/napi-v*',
];
/** Folders that the bundle needs although git ignores them. */
const BUILT = ['dist', 'node_modules'];
/** The bundle omits this folder of the checkout. */
const DOCUMENTATION = 'docs/';
/** Libraries that the libraries in CUDA_LIBRARIES open. Without the graph library, cuDNN ends the process. */
const FURTHER_LIBRARIES = ['libnvJitLink.so.12', 'libcudnn_graph.so.9'];

const RUN = `#!/bin/sh
# Runs every check of trawl that needs a GPU, with the software of this bundle.
here=$(cd "$(dirname "$0")" && pwd)
export PATH="$here/node/bin:$PATH" XDG_CACHE_HOME="$here/cache"
cd "$here/checkout" && exec node dist/bench/gpu/run.js --all "$@"
`;

/**
 * Returns the contents of a bundle.
 * @param cache the folder of trawl's cache, which has libtensorflow for GPUs (`npm run setup:native -- --cuda`)
 * @throws {Error} that names what is missing
 */
export function bundleEntries(root: string, cache: string, node: string): readonly BundleEntry[] {
  const libtensorflow = join(cache, 'libtensorflow');
  const built = existsSync(libtensorflow) ? readdirSync(libtensorflow).filter((name) => /-cuda-wheel$/.test(name)) : [];
  const [key] = built;
  if (key === undefined)
    throw new Error(`${libtensorflow} has no libtensorflow for GPUs; install it with: npm run setup:native -- --cuda`);
  const library = join(libtensorflow, key);
  const at = (path: string) => join('cache', 'trawl', 'libtensorflow', key, path);
  const entry = (path: string): BundleEntry => ({ from: join(library, path), to: at(path) });
  const bindings = readdirSync(join(libtensorflow, 'bindings')).filter((name) => name.startsWith(`${key}-`));
  const wanted: readonly string[] = [...CUDA_LIBRARIES, ...FURTHER_LIBRARIES];
  const cuda = readdirSync(join(library, 'nvidia'), { recursive: true, encoding: 'utf8' })
    .filter((path) => wanted.includes(basename(path)))
    .map((path) => entry(join('nvidia', path)));
  const lost = wanted.filter((name) => !cuda.some(({ from }) => basename(from) === name));
  if (lost.length > 0) throw new Error(`${library} lacks ${lost.join(', ')}`);
  const nats = join(cache, 'bin', 'nats-server');
  if (!existsSync(nats)) throw new Error(`${nats} is missing: npm run setup`);
  return [
    ...[...trackedFiles(root), ...BUILT].map((name) => ({ from: join(root, name), to: join('checkout', name) })),
    { from: node, to: 'node/bin/node' },
    { from: nats, to: 'cache/trawl/bin/nats-server' },
    entry('tensorflow/libtensorflow_cc.so.2'),
    entry('tensorflow/libtensorflow_framework.so.2'),
    entry('tensorflow/include/tensorflow/c'),
    ...cuda,
    ...bindings.map((name) => ({
      from: join(libtensorflow, 'bindings', name),
      to: join('cache', 'trawl', 'libtensorflow', 'bindings', name),
    })),
  ];
}

/**
 * Returns the files of the checkout that git tracks, without the documentation. Other files can be secrets, such as the
 * token in `trawl-data`, or large, such as earlier pieces.
 * @throws {Error} if the folder is not a checkout
 */
function trackedFiles(root: string): readonly string[] {
  const listed = execFileSync('git', ['ls-files', '-z'], {
    ...{ cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'pipe'] },
  });
  return listed
    .split('\0')
    .filter((name) => name !== '' && !name.startsWith(DOCUMENTATION) && existsSync(join(root, name)));
}

/**
 * Writes the pieces, `SHA256SUMS`, `install.sh` and `machine.sh` into a folder.
 * @param pieceBytes the maximum size of a piece
 * @param omitted tar patterns of the paths in the checkout that are left out
 */
export async function writeBundle(
  entries: readonly BundleEntry[],
  out: string,
  pieceBytes: number,
  omitted: readonly string[] = OMITTED,
): Promise<readonly BundlePiece[]> {
  mkdirSync(out, { recursive: true });
  for (const name of readdirSync(out).filter((each) => /^part-\d+$/.test(each))) rmSync(join(out, name));
  const stage = mkdtempSync(join(tmpdir(), 'trawl-bundle-'));
  try {
    for (const { from, to } of entries) {
      mkdirSync(dirname(join(stage, to)), { recursive: true });
      symlinkSync(from, join(stage, to));
    }
    writeFileSync(join(stage, 'run.sh'), RUN);
    const excluded = omitted.map((path) => `--exclude=./checkout/${path}`);
    const tar = spawn('tar', ['--dereference', ...excluded, '-c', '.'], {
      cwd: stage,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let problem = '';
    tar.stderr.setEncoding('utf8').on('data', (text: string) => {
      problem += text;
    });
    const ended = new Promise<number | null>((resolve, reject) => tar.once('error', reject).once('close', resolve));
    const splitter = new PieceWriter(out, pieceBytes);
    await pipeline(tar.stdout, createGzip(), splitter);
    if ((await ended) !== 0) throw new Error(`tar failed: ${problem.trim()}`);
    const { pieces } = splitter;
    writeFileSync(join(out, 'SHA256SUMS'), pieces.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join(''));
    for (const name of ['install.sh', 'machine.sh'])
      copyFileSync(join(packageRoot(), 'bench', 'gpu', name), join(out, name));
    return pieces;
  } finally {
    rmSync(stage, { recursive: true });
  }
}

/** Writes a stream into files of at most `pieceBytes`: part-000, part-001, ... */
class PieceWriter extends Writable {
  readonly pieces: BundlePiece[] = [];
  readonly #folder: string;
  readonly #pieceBytes: number;
  #file: number | undefined;
  #bytes = 0;
  #hash = createHash('sha256');

  constructor(folder: string, pieceBytes: number) {
    super();
    this.#folder = folder;
    this.#pieceBytes = pieceBytes;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    try {
      for (let at = 0; at < chunk.length; ) {
        this.#file ??= openSync(join(this.#folder, this.#name()), 'w');
        const part = chunk.subarray(at, at + this.#pieceBytes - this.#bytes);
        writeSync(this.#file, part);
        this.#hash.update(part);
        this.#bytes += part.length;
        at += part.length;
        if (this.#bytes === this.#pieceBytes) this.#close();
      }
      done();
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#close();
    done();
  }

  #close(): void {
    if (this.#file === undefined) return;
    closeSync(this.#file);
    this.pieces.push({ name: this.#name(), bytes: this.#bytes, sha256: this.#hash.digest('hex') });
    this.#file = undefined;
    this.#bytes = 0;
    this.#hash = createHash('sha256');
  }

  #name(): string {
    return `part-${`${this.pieces.length}`.padStart(3, '0')}`;
  }
}
