/** Which TensorFlow.js backend computes in this process: a GPU where there is one, native code, or WebAssembly. */
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { BadInputError } from '../../proto/errors.ts';
import { loadNative, nativePartFault } from './native-package.ts';
import { guardWasmHeap } from './wasm-heap.ts';

/** From the fastest down, in the order that they are tried. */
export const BACKENDS = ['tensorflow-gpu', 'tensorflow', 'wasm'] as const;
export type BackendName = (typeof BACKENDS)[number];

export const NO_GPU = 'no GPU is seen (nvidia-smi lists none)';
export const NO_CUDA =
  'loads, but computes on the CPU: CUDA, cuDNN or the driver is missing or does not fit (npm run setup:native -- --cuda brings the first two)';

export interface BackendOptions {
  /** GPUs that this process may use; without one the GPU backend is not tried. */
  readonly gpus: number;
  /** Refuse whatever computes on a CPU. */
  readonly requireGpu: boolean;
  /** This one or none. */
  readonly forced?: BackendName;
}

export class NoBackendError extends BadInputError {}

/**
 * The backend that the environment variable TRAWL_BACKEND asks for, this one or none; undefined where it is not set.
 * @throws {BadInputError} when no backend is called so
 */
export function forcedBackend(env: NodeJS.ProcessEnv): BackendName | undefined {
  const { TRAWL_BACKEND: asked } = env;
  if (asked === undefined || asked === '') return undefined;
  const found = BACKENDS.find((name) => name === asked);
  if (found === undefined) throw new BadInputError(`TRAWL_BACKEND is ${asked}, expected ${BACKENDS.join(', ')}`);
  return found;
}

/**
 * Loads the first backend that works. Once a process, before anything is computed.
 * @throws {NoBackendError} when none of those allowed loads, with the reason of each.
 */
export async function chooseBackend(options: BackendOptions): Promise<{ readonly name: BackendName }> {
  // Keeps TensorFlow.js from printing advice on stdout and stderr; a worker's output is its trial's log.
  tf.enableProdMode();
  const allowed = BACKENDS.filter(
    (name) => name === (options.forced ?? name) && (name === 'tensorflow-gpu' || !options.requireGpu),
  );
  const faults: string[] = [];
  for (const name of allowed) {
    const fault = await load(name, options.gpus);
    if (fault === undefined) return { name };
    faults.push(`\n  ${name}: ${fault}`);
  }
  if (allowed.length === 0)
    throw new NoBackendError(`backend ${options.forced} computes on the CPU, but --require-gpu asks for a GPU`);
  const problem = options.requireGpu
    ? '--require-gpu asks for a GPU, and none can be used'
    : 'no TensorFlow.js backend loads';
  throw new NoBackendError(problem + faults.join(''));
}

/** @returns why it cannot be used; undefined when it is loaded and set. */
async function load(name: BackendName, gpus: number): Promise<string | undefined> {
  try {
    switch (name) {
      case 'tensorflow-gpu':
        return gpus > 0 ? await loadGpu() : NO_GPU;
      case 'tensorflow':
        return await loadCpu();
      case 'wasm':
        return await loadWasm();
    }
  } catch (error) {
    return error instanceof Error ? error.message.split('\n', 1)[0] : String(error);
  }
}

async function loadGpu(): Promise<string | undefined> {
  const fault = nativePartFault('@tensorflow/tfjs-node-gpu');
  if (fault !== undefined) return fault;
  loadNative('@tensorflow/tfjs-node-gpu');
  await tf.setBackend('tensorflow');
  const backend = tf.backend();
  // Where a CUDA library is missing, libtensorflow computes on the CPU without a word.
  if ('isUsingGpuDevice' in backend && backend.isUsingGpuDevice === true) return undefined;
  return NO_CUDA;
}

async function loadCpu(): Promise<string | undefined> {
  // The GPU package on the CPU will do: two libtensorflows in one process would not.
  if (tf.findBackend('tensorflow') === null) {
    const fault = nativePartFault('@tensorflow/tfjs-node');
    if (fault !== undefined) return fault;
    loadNative('@tensorflow/tfjs-node');
  }
  return (await tf.setBackend('tensorflow')) ? undefined : 'it was refused as a backend';
}

async function loadWasm(): Promise<string | undefined> {
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  const { resolve } = createRequire(import.meta.url);
  // The package picks among its binaries (with and without SIMD) by what this Node can run.
  setWasmPaths(join(dirname(resolve('@tensorflow/tfjs-backend-wasm/package.json')), 'dist') + sep);
  if (!(await tf.setBackend('wasm'))) return 'WebAssembly cannot be set up in this Node';
  guardWasmHeap(tf.backend());
  return undefined;
}
