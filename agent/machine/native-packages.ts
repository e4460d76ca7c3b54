/** The packages that load libtensorflow: whether they are installed, and how they are loaded. */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import util from 'node:util';

const require = createRequire(import.meta.url);

/** The native part of these packages, which contains libtensorflow, is installed separately. */
const NATIVE_PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;
export type NativePackage = (typeof NATIVE_PACKAGES)[number];

/**
 * Environment variables that libtensorflow reads when it is loaded. If one of them is already set, its value is kept
 * (the supervisor sets TF_FORCE_GPU_ALLOW_GROWTH for each worker). With the values below, libtensorflow allocates GPU
 * memory on demand, prints only errors, and uses oneDNN. By default, oneDNN is enabled only for some processors. The
 * matrix products of oneDNN are bitwise identical for any number of threads (tested with 1, 2, 4, 8 and 16). Without
 * oneDNN, matrix products depend on the number of threads. NVIDIA_TF32_OVERRIDE=0 makes NVIDIA's libraries compute
 * float32 products in float32. By default, on Ampere and later GPUs, TensorFlow first rounds the factors of these
 * products to 10 bits. Losses would then differ from losses on a CPU by more than float32 rounding errors.
 */
export const NATIVE_ENVIRONMENT = {
  TF_FORCE_GPU_ALLOW_GROWTH: 'true',
  TF_CPP_MIN_LOG_LEVEL: '2',
  TF_ENABLE_ONEDNN_OPTS: '1',
  NVIDIA_TF32_OVERRIDE: '0',
} as const;

/**
 * Functions of Node's module `util` that these packages call, for example to concatenate tensors. Newer versions of Node
 * do not have them, or print a warning when they are called.
 */
const OLD_UTIL_FUNCTIONS = {
  isArray: Array.isArray,
  isNullOrUndefined: (value: unknown): boolean => value === null || value === undefined,
};

const ADDON = 'tfjs_binding.node';

/**
 * Checks the files of a backend's package. Returns the reason why the package cannot be loaded; undefined if the
 * package can probably be loaded. The check is cheap, because it loads nothing. Loading the package takes half a
 * second, and registers the package's kernels with TensorFlow.js even if the native part is missing.
 */
export function nativePackageProblem(name: NativePackage): string | undefined {
  const root = packageRoot(name);
  if (root === undefined) return `${name} is not installed`;
  const lib = join(root, 'lib');
  const isInstalled = existsSync(lib) && readdirSync(lib).some((folder) => existsSync(join(lib, folder, ADDON)));
  if (!isInstalled) return 'its native part is not installed (npm run setup:native installs it)';
  if (!existsSync(join(root, 'deps', 'lib')))
    return 'its libtensorflow was deleted (npm run setup:native installs it again)';
  return undefined;
}

/**
 * Returns whether `chooseBackend` (backend.ts) can only choose `wasm`, without loading TensorFlow.js. Returns false if the
 * environment may be invalid, because loading a backend then reports the reason.
 * @param gpus the number of GPUs of the machine
 * @param hasNative whether a native package can probably be loaded; tests replace it
 */
export function isWasmOnly(
  { gpus, requireGpu }: { readonly gpus: number; readonly requireGpu: boolean },
  { TRAWL_BACKEND: forced = '', TRAWL_GPU_PACKS: packs = '' }: NodeJS.ProcessEnv,
  hasNative = () => NATIVE_PACKAGES.some((name) => nativePackageProblem(name) === undefined),
): boolean {
  if (gpus > 0 || requireGpu || packs !== '') return false;
  return forced === 'wasm' || (forced === '' && !hasNative());
}

/** Loads a package whose native part is installed. */
export function loadNative(name: NativePackage): void {
  for (const [variable, value] of Object.entries(NATIVE_ENVIRONMENT)) process.env[variable] ??= value;
  provideOldUtilFunctions();
  require(name);
}

/** Gives Node's module `util` the functions that the packages need. */
export function provideOldUtilFunctions(): void {
  for (const [name, value] of Object.entries(OLD_UTIL_FUNCTIONS)) Object.defineProperty(util, name, { value });
}

/** Returns the path of the file that `require` loads for the package, so that another process can load this file. */
export function nativeEntry(name: NativePackage): string {
  return require.resolve(name);
}

function packageRoot(name: NativePackage): string | undefined {
  try {
    return dirname(require.resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}
