/** The packages whose native part (an addon over libtensorflow) may or may not be on this machine. */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
/** Read when libtensorflow is loaded: take GPU memory as it is needed, not all of it at once, and print errors only. */
export const NATIVE_ENVIRONMENT = { TF_FORCE_GPU_ALLOW_GROWTH: 'true', TF_CPP_MIN_LOG_LEVEL: '2' };
const ADDON = 'tfjs_binding.node';
const require = createRequire(import.meta.url);
/**
 * Why the package cannot be loaded, as far as its files tell: a cheap look, because the package takes half a second and
 * registers its kernels before it finds its native part missing. Undefined when it may load.
 */
export function nativePartFault(name) {
  const root = packageRoot(name);
  if (root === undefined) return `${name} is not installed`;
  // node-pre-gyp puts the addon into lib/napi-v<N>; N depends on the Node that it was made for.
  const lib = join(root, 'lib');
  const present = existsSync(lib) && readdirSync(lib).some((folder) => existsSync(join(lib, folder, ADDON)));
  return present ? undefined : 'its native part is not on this machine (npm run setup:native fetches or builds it)';
}
/** Loads the package, which makes itself TensorFlow.js's backend. @throws what the linker or the addon has to say. */
export function loadNative(name) {
  for (const [variable, value] of Object.entries(NATIVE_ENVIRONMENT)) process.env[variable] ??= value;
  require(name);
}
/** The file that `require` loads, for another process. */
export function nativeEntry(name) {
  return require.resolve(name);
}
function packageRoot(name) {
  try {
    return dirname(require.resolve(`${name}/package.json`));
  } catch {
    return undefined;
  }
}
//# sourceMappingURL=native-package.js.map
