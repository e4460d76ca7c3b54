import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { elapsed, messageOf } from '../setup/common.mjs';
import { withLock } from '../setup/lock.mjs';
import { CommandError, runQuietly } from '../setup/run.mjs';
import { buildBinding } from './binding.mjs';
import { libtensorflowCache, removeLeftovers, spaceProblem } from './cache.mjs';
import { libraryLayout } from './layout.mjs';
import { SPACE_BYTES } from './pinned.mjs';
import { isPlaced, packageFolder, placeLibrary, removePlacement } from './placement.mjs';
import { prove } from './proof.mjs';
import { obtain, sourcesFor } from './sources.mjs';

const NVIDIA_LIMIT_MS = 10_000;

const GPU_PACKAGE = '@tensorflow/tfjs-node-gpu';
const CPU_PACKAGE = '@tensorflow/tfjs-node';

/** The CPU package also works with a GPU build of libtensorflow. */
const PACKAGES = { cpu: [CPU_PACKAGE], cuda: [GPU_PACKAGE, CPU_PACKAGE] };

/**
 * Adds the native part to the TensorFlow packages of a checkout: obtains a libtensorflow library, builds the binding
 * from source, and verifies that the packages can train. Reuses the cache.
 * @param {{root: string, log: (line: string) => void, from?: string, variant?: import('./pinned.mjs').Variant}} options
 * `from` is the path of a libtensorflow library to use; `variant` defaults to `cuda` where an NVIDIA GPU is found,
 * otherwise to `cpu`
 */
export async function setUpNative({ root, log, from, variant: requested }) {
  const start = performance.now();
  const problem = platformProblem(currentPlatform());
  if (problem !== null) throw new Error(problem);
  const hasGpu = await hasNvidiaGpu();
  const variant = requested ?? (hasGpu ? 'cuda' : 'cpu');
  const packages = PACKAGES[variant];
  const absent = packages.filter((name) => !existsSync(packageFolder(root, name)));
  if (absent.length > 0) throw new Error(`${absent.join(' and ')} not installed: run npm run setup first`);

  const cache = libtensorflowCache(process.env);
  mkdirSync(cache, { recursive: true });
  const placement = await withLock(join(cache, 'set-up.lock'), log, async () => {
    removeLeftovers(cache, Date.now());
    const sources = await sourcesFor({ from, variant });
    if (!sources.some(({ folder, key }) => existsSync(folder ?? join(cache, key)))) {
      const full = spaceProblem(cache, SPACE_BYTES[variant]);
      if (full !== null) throw new Error(full);
    }
    const { source, folder } = await obtain(sources, cache, log);
    const layout = libraryLayout(folder);
    const { key } = source;
    const sourcePackage = variant === 'cuda' ? GPU_PACKAGE : CPU_PACKAGE;
    const built = await buildBinding({ packageRoot: packageFolder(root, sourcePackage), layout, key, cache }, log);
    return { packages, lib: layout.lib, binding: built.path, napi: built.napi };
  });
  placeLibrary(root, placement);
  try {
    for (const name of packages) log(`${name}: ${proofText(await prove(packageFolder(root, name)), variant, hasGpu)}`);
  } catch (error) {
    removePlacement(root, placement);
    throw error;
  }
  log(`native: ready (${elapsed(start)})`);
}

/**
 * Runs setUpNative as part of the default setup, if an NVIDIA GPU is found and the GPU package has no native part yet.
 * If the setup fails, the error is logged, and trials train on the CPU.
 * @param {string} root the folder of the checkout
 * @param {(line: string) => void} log
 */
export async function setUpNativeForGpu(root, log) {
  if (isPlaced(root, GPU_PACKAGE) || !(await hasNvidiaGpu())) return;
  log('native: nvidia-smi lists a GPU; setting up TensorFlow for it (npm run setup:native -- --help)');
  try {
    await setUpNative({ root, log, variant: 'cuda' });
  } catch (error) {
    log(`native: setup failed, trials will train on the CPU: ${messageOf(error)}`);
  }
}

/**
 * @param {import('./proof.mjs').Proof} proof
 * @param {import('./pinned.mjs').Variant} variant
 * @param {boolean} hasGpu
 */
function proofText({ tensorflow, usesGpu, before, after }, variant, hasGpu) {
  const device = usesGpu ? 'GPU' : 'CPU';
  const trained = `trained a network on the ${device} with TensorFlow ${tensorflow}: loss ${before.toFixed(3)} to ${after.toFixed(3)}`;
  if (variant === 'cpu' || usesGpu) return trained;
  return `${trained}; ${hasGpu ? 'could not use the GPU: check that its driver supports CUDA 12' : 'no GPU was found'}`;
}

async function hasNvidiaGpu() {
  try {
    return /^GPU \d+:/m.test(await runQuietly('nvidia-smi', ['-L'], { limitMs: NVIDIA_LIMIT_MS }));
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}

/**
 * The platform. `glibc` is the version of the GNU C library, or undefined if the system uses another C library.
 * @typedef {{platform: string, arch: string, glibc: string | undefined}} Platform
 */

/**
 * Returns the reason why libtensorflow cannot be set up on a platform, or null.
 * @param {Platform} platform
 * @returns {string | null}
 */
export function platformProblem({ platform, arch, glibc }) {
  const alternative = 'trawl uses WebAssembly here, which needs no setup';
  if (platform !== 'linux' || arch !== 'x64')
    return `libtensorflow is supported on 64-bit x86 Linux only, and this is ${platform} ${arch}; ${alternative}`;
  if (glibc === undefined)
    return `libtensorflow needs the GNU C library, and this Linux uses another one (musl); ${alternative}`;
  return null;
}

/** @returns {Platform} */
export function currentPlatform() {
  // @types/node declares the report as an object without properties.
  const report = /** @type {{header: {glibcVersionRuntime?: string}}} */ (process.report.getReport());
  return { platform: process.platform, arch: process.arch, glibc: report.header.glibcVersionRuntime };
}
