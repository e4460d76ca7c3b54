/** Which backends would load, for `trawl doctor`, without loading libtensorflow into this process. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { BACKENDS, type BackendName, chooseBackend, NO_CUDA, NO_GPU, NoBackendError } from './backend.ts';
import { listGpus } from './gpus.ts';
import { NATIVE_ENVIRONMENT, type NativePackage, nativeEntry, nativePartFault } from './native-package.ts';

const run = promisify(execFile);

/** For loading libtensorflow and waking up the GPUs. */
const PROBE_MS = 60_000;

export interface BackendProbe {
  readonly name: BackendName;
  readonly loads: boolean;
  /** One line: why it does not load; empty when it does. */
  readonly reason: string;
  /** Of libtensorflow, where it loads. */
  readonly tensorflow?: string;
}

/** Tries each backend; resolves in well under a second where no native part is installed. */
export async function probeBackends(): Promise<readonly BackendProbe[]> {
  const gpus = (await listGpus()).length;
  return Promise.all(
    BACKENDS.map(async (name) => {
      const { fault, tensorflow } = await lookAt(name, gpus);
      if (fault !== undefined) return { name, loads: false, reason: fault };
      return { name, loads: true, reason: '', ...(tensorflow === undefined ? {} : { tensorflow }) };
    }),
  );
}

interface Look {
  readonly fault?: string;
  readonly tensorflow?: string;
}

async function lookAt(name: BackendName, gpus: number): Promise<Look> {
  switch (name) {
    case 'tensorflow-gpu': {
      if (gpus === 0) return { fault: NO_GPU };
      const { usesGpu, ...look } = await probeNative('@tensorflow/tfjs-node-gpu');
      return look.fault === undefined && !usesGpu ? { fault: NO_CUDA } : look;
    }
    case 'tensorflow': {
      const { usesGpu, ...look } = await probeNative('@tensorflow/tfjs-node');
      return look;
    }
    case 'wasm':
      return chooseBackend({ forced: 'wasm', gpus: 0, requireGpu: false }).then(
        () => ({}),
        (error: unknown) => {
          if (error instanceof NoBackendError) return { fault: error.message };
          throw error;
        },
      );
  }
}

const SCRIPT = `const backend = require(process.argv[1]).backend();
process.stdout.write('\\n' + backend.binding.TF_Version + ' ' + (backend.isUsingGpuDevice === true))`;

/** Loads the package in a process of its own, because a library that does not fit can end its process. */
async function probeNative(name: NativePackage): Promise<Look & { readonly usesGpu: boolean }> {
  const fault = nativePartFault(name);
  if (fault !== undefined) return { fault, usesGpu: false };
  try {
    const env = { ...process.env, ...NATIVE_ENVIRONMENT };
    const { stdout } = await run(process.execPath, ['-e', SCRIPT, nativeEntry(name)], { env, timeout: PROBE_MS });
    const [tensorflow, usesGpu] = (stdout.split('\n').at(-1) ?? '').split(' ');
    return { ...(tensorflow === undefined ? {} : { tensorflow }), usesGpu: usesGpu === 'true' };
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const line = said.split('\n').find((each) => each.includes('Error:')) ?? 'its process died while loading';
    return { fault: line.trim(), usesGpu: false };
  }
}
