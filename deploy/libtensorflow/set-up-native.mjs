import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from '../setup/lock.mjs';
import { CommandError, runQuietly } from '../setup/run-quietly.mjs';
import { since } from '../setup/say.mjs';
import { buildBinding } from './binding.mjs';
import { libtensorflowCache, removeLeftovers, spaceProblem } from './cache.mjs';
import { layoutOf } from './layout.mjs';
import { SPACE_BYTES } from './pinned.mjs';
import { isPlaced, packageRoot, place, takeOut } from './placement.mjs';
import { platformProblem, thisMachine } from './platform.mjs';
import { prove } from './proof.mjs';
import { obtain, sourcesFor } from './sources.mjs';

const NVIDIA_LIMIT_MS = 10_000;

/** The packages that get a libtensorflow; one for GPUs serves the CPU too. */
const PACKAGES = {
  cpu: ['@tensorflow/tfjs-node'],
  cuda: ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'],
};

/**
 * Gives the TensorFlow packages of a checkout their native part: a libtensorflow, the binding built from its source, and
 * the proof that they train. What is in the cache is not fetched or built again.
 * @param {{root: string, say: (line: string) => void, from?: string, variant?: import('./pinned.mjs').Variant}} options
 * `from`: a libtensorflow of the user's own; `variant`: default `cuda` where an NVIDIA GPU is seen, else `cpu`
 */
export async function setUpNative({ root, say, from, variant: asked }) {
  const start = performance.now();
  const problem = platformProblem(thisMachine());
  if (problem !== null) throw new Error(problem);
  const gpus = await hasNvidiaGpu();
  const variant = asked ?? (gpus ? 'cuda' : 'cpu');
  const packages = PACKAGES[variant];
  const absent = packages.filter((name) => !existsSync(packageRoot(root, name)));
  if (absent.length > 0) throw new Error(`${absent.join(' and ')} is not installed: run npm run setup first`);

  const cache = libtensorflowCache(process.env);
  mkdirSync(cache, { recursive: true });
  const placement = await withLock(join(cache, 'set-up.lock'), say, async () => {
    removeLeftovers(cache, Date.now());
    const sources = await sourcesFor({ from, variant });
    if (!sources.some(({ folder, key }) => existsSync(folder ?? join(cache, key)))) {
      const full = spaceProblem(cache, SPACE_BYTES[variant]);
      if (full !== null) throw new Error(full);
    }
    const { source, folder } = await obtain(sources, cache, say);
    const layout = layoutOf(folder);
    const { key } = source;
    const built = await buildBinding({ packageRoot: packageRoot(root, packages[0]), layout, key, cache }, say);
    return { packages, lib: layout.lib, binding: built.path, napi: built.napi };
  });
  place(root, placement);
  try {
    for (const name of packages) say(`${name}: ${proofText(await prove(packageRoot(root, name)), variant, gpus)}`);
  } catch (error) {
    takeOut(root, placement);
    throw error;
  }
  say(`native: ready (${since(start)})`);
}

/**
 * What the ordinary set-up does: where an NVIDIA GPU is seen and the package for it has no native part yet, gets it.
 * Says why when it cannot: trawl then computes with WebAssembly.
 * @param {string} root the checkout
 * @param {(line: string) => void} say
 */
export async function setUpNativeForGpu(root, say) {
  if (isPlaced(root, PACKAGES.cuda[0]) || !(await hasNvidiaGpu())) return;
  say('native: nvidia-smi lists a GPU; getting what TensorFlow needs for it (npm run setup:native -- --help)');
  try {
    await setUpNative({ root, say, variant: 'cuda' });
  } catch (error) {
    say(`native: not set up, so trials train on the CPU: ${error.message}`);
  }
}

function proofText({ tensorflow, usesGpu, before, after }, variant, gpus) {
  const trained = `a net trained on the ${usesGpu ? 'GPU' : 'CPU'} with TensorFlow ${tensorflow}: loss ${before.toFixed(3)} to ${after.toFixed(3)}`;
  if (variant === 'cpu' || usesGpu) return trained;
  return `${trained}; ${gpus ? 'the GPU could not be used: the driver does not fit CUDA 12' : 'no GPU is seen here'}`;
}

/** Whether nvidia-smi lists a GPU. */
export async function hasNvidiaGpu() {
  try {
    return /^GPU \d+:/m.test(await runQuietly('nvidia-smi', ['-L'], { limitMs: NVIDIA_LIMIT_MS }));
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}
