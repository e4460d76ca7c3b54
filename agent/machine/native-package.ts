/** The packages whose native part (an addon over libtensorflow) may or may not be on this machine. */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export type NativePackage = '@tensorflow/tfjs-node-gpu' | '@tensorflow/tfjs-node';

/**
 * Read when libtensorflow is loaded; what the user has set stays. GPU memory is taken as it is needed, not all of it at
 * once, and only errors are printed. oneDNN's products are the same to the bit whatever the number of threads, and those
 * of libtensorflow without it are not (tried with 1, 2, 4, 8 and 16); left alone it is on for some processors only.
 */
export const NATIVE_ENVIRONMENT = {
  TF_FORCE_GPU_ALLOW_GROWTH: 'true',
  TF_CPP_MIN_LOG_LEVEL: '2',
  TF_ENABLE_ONEDNN_OPTS: '1',
} as const;

const ADDON = 'tfjs_binding.node';

const require = createRequire(import.meta.url);

/**
 * Why the package cannot be loaded, as far as its files tell: a cheap look, because the package takes half a second and
 * registers its kernels before it finds its native part missing. Undefined when it may load.
 */
export function nativePartFault(name: NativePackage): string | undefined {
  const root = packageRoot(name);
  if (root === undefined) return `${name} is not installed`;
  // node-pre-gyp puts the addon into lib/napi-v<N>; N depends on the Node that it was made for.
  const lib = join(root, 'lib');
  const present = existsSync(lib) && readdirSync(lib).some((folder) => existsSync(join(lib, folder, ADDON)));
  if (!present) return 'its native part is not on this machine (npm run setup:native gets it)';
  // A link into trawl's cache, which somebody may have emptied.
  if (!existsSync(join(root, 'deps', 'lib'))) return 'its libtensorflow has gone (npm run setup:native gets it again)';
  return undefined;
}

/** Loads the package, which makes itself TensorFlow.js's backend. @throws what the linker or the addon has to say. */
export function loadNative(name: NativePackage): void {
  for (const [variable, value] of Object.entries(NATIVE_ENVIRONMENT)) process.env[variable] ??= value;
  require(name);
}

/** The file that `require` loads, for another process. */
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
