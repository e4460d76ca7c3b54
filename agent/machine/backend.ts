/**
 * Loads the TensorFlow.js backend of this process: libtensorflow on a GPU, libtensorflow on the CPU, or WebAssembly.
 */
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { BadInputError } from '../../proto/errors.ts';
import { loadNative, nativePackageProblem } from './native-packages.ts';

const require = createRequire(import.meta.url);

/** The backends from the fastest to the slowest. Backends are tried in this order. */
export const BACKENDS = ['tensorflow-gpu', 'tensorflow', 'wasm'] as const;
export type BackendName = (typeof BACKENDS)[number];

export const NO_GPU = 'no GPU found (nvidia-smi lists none)';
export const NO_CUDA =
  'loads, but computes on the CPU: CUDA, cuDNN or the driver is missing or incompatible (npm run setup:native -- --cuda installs CUDA and cuDNN)';

export interface BackendOptions {
  /** The number of GPUs that this process can use. If the number of GPUs is 0, the GPU backend is not tried. */
  readonly gpus: number;
  /** Whether to accept only a backend that computes on a GPU. */
  readonly requireGpu: boolean;
  /** The only accepted backend. If undefined, all backends are accepted. */
  readonly forced?: BackendName;
}

export class NoBackendError extends BadInputError {}

/**
 * Returns the backend that the environment variable TRAWL_BACKEND names; undefined if the variable is not set.
 * @throws {BadInputError} if the variable names an unknown backend
 */
export function forcedBackend(env: NodeJS.ProcessEnv): BackendName | undefined {
  const { TRAWL_BACKEND: name } = env;
  if (name === undefined || name === '') return undefined;
  const found = BACKENDS.find((backend) => backend === name);
  if (found === undefined) throw new BadInputError(`TRAWL_BACKEND is ${name}, expected ${BACKENDS.join(', ')}`);
  return found;
}

/**
 * Loads the first backend that works. The function must be called once per process, before any computation.
 * @throws {NoBackendError} when none of the accepted backends loads; the message contains the reason for each backend
 */
export async function chooseBackend(options: BackendOptions): Promise<{ readonly name: BackendName }> {
  // Suppresses TensorFlow.js's advice on stdout and stderr, because a worker's output becomes the log of its trial.
  tf.enableProdMode();
  const accepted = BACKENDS.filter(
    (name) => name === (options.forced ?? name) && (name === 'tensorflow-gpu' || !options.requireGpu),
  );
  const problems: string[] = [];
  for (const name of accepted) {
    const problem = await load(name, options.gpus);
    if (problem === undefined) return { name };
    problems.push(`\n  ${name}: ${problem}`);
  }
  if (accepted.length === 0)
    throw new NoBackendError(`backend ${options.forced} computes on the CPU, but --require-gpu is set`);
  const summary = options.requireGpu
    ? '--require-gpu is set, but no GPU can be used'
    : 'no TensorFlow.js backend loads';
  throw new NoBackendError(summary + problems.join(''));
}

/** @returns the reason why the backend cannot be used; undefined if the backend is loaded */
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
  const problem = nativePackageProblem('@tensorflow/tfjs-node-gpu');
  if (problem !== undefined) return problem;
  loadNative('@tensorflow/tfjs-node-gpu');
  await tf.setBackend('tensorflow');
  const backend = tf.backend();
  // When a CUDA library is missing, libtensorflow computes on the CPU without any message.
  if ('isUsingGpuDevice' in backend && backend.isUsingGpuDevice === true) return undefined;
  return NO_CUDA;
}

async function loadCpu(): Promise<string | undefined> {
  // If the GPU package is already loaded, that package is used, because it can also compute on the CPU. Loading the CPU
  // package too would put two copies of libtensorflow into one process, and they would clash.
  if (tf.findBackend('tensorflow') === null) {
    const problem = nativePackageProblem('@tensorflow/tfjs-node');
    if (problem !== undefined) return problem;
    loadNative('@tensorflow/tfjs-node');
  }
  return (await tf.setBackend('tensorflow')) ? undefined : 'TensorFlow.js rejected it as a backend';
}

async function loadWasm(): Promise<string | undefined> {
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(join(dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json')), 'dist') + sep);
  if (!(await tf.setBackend('wasm'))) return 'WebAssembly does not work in this Node';
  guardWasmHeap(tf.backend());
  return undefined;
}

interface WasmBackend {
  readonly wasm: { _malloc(bytes: number): number; _free(address: number): void };
}

/**
 * Makes failed allocations in the wasm heap throw an error. The backend (tfjs 4.22) does not check the result of
 * malloc. When the 4 GB of the heap are used up, malloc returns 0. The backend then writes tensors to address 0, over
 * the data structures of the heap, and training continues with wrong numbers.
 * @throws {Error} if the guard does not work with the installed version of the backend
 */
function guardWasmHeap(backend: object): void {
  if (!isWasmBackend(backend)) throw new Error('this version of the wasm backend has no wasm._malloc');
  const { wasm } = backend;
  // At its first call, each of emscripten's stubs replaces itself with the real function. The calls here cause the
  // replacement now, because a later replacement would undo the guard.
  wasm._free(wasm._malloc(1));
  const malloc = wasm._malloc;
  wasm._malloc = (bytes) => {
    const address = malloc(bytes);
    if (address === 0 && bytes > 0)
      throw new RangeError(`out of memory: could not allocate ${bytes} bytes in the wasm heap`);
    return address;
  };
}

function isWasmBackend(backend: object): backend is WasmBackend {
  if (!('wasm' in backend) || typeof backend.wasm !== 'object' || backend.wasm === null) return false;
  return '_malloc' in backend.wasm && '_free' in backend.wasm;
}
