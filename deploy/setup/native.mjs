import { CommandError, runQuietly } from './run-quietly.mjs';
import { since } from './say.mjs';

/** Half a gigabyte over a slow line, or a compiler at work. */
const NATIVE_LIMIT_MS = 30 * 60_000;
const NVIDIA_LIMIT_MS = 10_000;

/**
 * Runs the install script, left out of `npm ci`, of the TensorFlow package that fits this machine. It downloads
 * libtensorflow and a binding, or compiles the binding.
 * @param {string} root the checkout
 * @param {(line: string) => void} say
 */
export async function buildNative(root, say) {
  const start = performance.now();
  const name = (await hasNvidiaGpu()) ? '@tensorflow/tfjs-node-gpu' : '@tensorflow/tfjs-node';
  say(`native: install script of ${name} ...`);
  await runQuietly('npm', ['rebuild', name, '--ignore-scripts=false', '--foreground-scripts'], {
    cwd: root,
    limitMs: NATIVE_LIMIT_MS,
  });
  say(`native: ${name} is ready (${since(start)})`);
}

async function hasNvidiaGpu() {
  try {
    return /^GPU \d+:/m.test(await runQuietly('nvidia-smi', ['-L'], { limitMs: NVIDIA_LIMIT_MS }));
  } catch (error) {
    if (error instanceof CommandError) return false;
    throw error;
  }
}
