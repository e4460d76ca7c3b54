/** Which backends would load, for `trawl doctor`, without loading libtensorflow into this process. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { BACKENDS, chooseBackend, NO_CUDA, NO_GPU, NoBackendError } from './backend.js';
import { listGpus } from './gpus.js';
import { NATIVE_ENVIRONMENT, nativeEntry, nativePartFault } from './native-package.js';

const run = promisify(execFile);
/** For loading libtensorflow and waking up the GPUs. */
const PROBE_MS = 60_000;
/** Tries each backend; resolves in well under a second where no native part is installed. */
export async function probeBackends() {
  const gpus = (await listGpus()).length;
  return Promise.all(
    BACKENDS.map(async (name) => {
      const fault = await faultOf(name, gpus);
      return { name, loads: fault === undefined, reason: fault ?? '' };
    }),
  );
}
async function faultOf(name, gpus) {
  switch (name) {
    case 'tensorflow-gpu': {
      if (gpus === 0) return NO_GPU;
      const { fault, usesGpu } = await probeNative('@tensorflow/tfjs-node-gpu');
      return fault ?? (usesGpu ? undefined : NO_CUDA);
    }
    case 'tensorflow':
      return (await probeNative('@tensorflow/tfjs-node')).fault;
    case 'wasm':
      return chooseBackend({ forced: 'wasm', gpus: 0, requireGpu: false }).then(
        () => undefined,
        (error) => {
          if (error instanceof NoBackendError) return error.message;
          throw error;
        },
      );
  }
}
const SCRIPT = 'process.stdout.write(String(require(process.argv[1]).backend().isUsingGpuDevice === true))';
/** Loads the package in a process of its own, because a library that does not fit can end its process. */
async function probeNative(name) {
  const fault = nativePartFault(name);
  if (fault !== undefined) return { fault, usesGpu: false };
  try {
    const env = { ...process.env, ...NATIVE_ENVIRONMENT };
    const { stdout } = await run(process.execPath, ['-e', SCRIPT, nativeEntry(name)], { env, timeout: PROBE_MS });
    return { usesGpu: stdout.endsWith('true') };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const line = said.split('\n').find((each) => each.includes('Error:')) ?? 'its process died while loading';
    return { fault: line.trim(), usesGpu: false };
  }
}
//# sourceMappingURL=probe.js.map
