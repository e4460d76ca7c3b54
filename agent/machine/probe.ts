/** Checks which backends load, for `trawl doctor`, without loading libtensorflow into this process. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { errorMessage } from '../../lib/text/error-message.ts';
import { BACKENDS, type BackendName, chooseBackend, NO_CUDA, NO_GPU, NoBackendError } from './backend.ts';
import { listGpus } from './gpus.ts';
import { NATIVE_ENVIRONMENT, type NativePackage, nativeEntry, nativePackageProblem } from './native-packages.ts';

const run = promisify(execFile);

/** The time limit of one probe, which loads libtensorflow and initializes the GPUs. */
const PROBE_TIMEOUT_MS = 60_000;

export interface BackendProbe {
  readonly name: BackendName;
  readonly loads: boolean;
  /** The reason why the backend does not load; empty if the backend loads. */
  readonly reason: string;
  /** The version of libtensorflow, if the backend loads. */
  readonly tensorflow?: string;
}

/** Tries each backend. Takes less than a second if libtensorflow is not installed. */
export async function probeBackends(): Promise<readonly BackendProbe[]> {
  const gpus = (await listGpus()).filter(({ vendor }) => vendor === 'nvidia').length;
  return Promise.all(
    BACKENDS.map(async (name) => {
      const { problem, tensorflow } = await probe(name, gpus);
      if (problem !== undefined) return { name, loads: false, reason: problem };
      return { name, loads: true, reason: '', ...(tensorflow === undefined ? {} : { tensorflow }) };
    }),
  );
}

interface ProbeResult {
  readonly problem?: string;
  readonly tensorflow?: string;
}

async function probe(name: BackendName, gpus: number): Promise<ProbeResult> {
  switch (name) {
    case 'tensorflow-gpu': {
      if (gpus === 0) return { problem: NO_GPU };
      const { usesGpu, ...result } = await probeNative('@tensorflow/tfjs-node-gpu');
      return result.problem === undefined && !usesGpu ? { problem: NO_CUDA } : result;
    }
    case 'tensorflow': {
      const { usesGpu, ...result } = await probeNative('@tensorflow/tfjs-node');
      return result;
    }
    case 'wasm':
      return chooseBackend({ forced: 'wasm', gpus: 0, requireGpu: false }).then(
        () => ({}),
        (error: unknown) => {
          if (error instanceof NoBackendError) return { problem: error.message };
          throw error;
        },
      );
  }
}

const SCRIPT = `const backend = require(process.argv[1]).backend();
process.stdout.write('\\n' + backend.binding.TF_Version + ' ' + (backend.isUsingGpuDevice === true))`;

/** Loads the package in a separate process, because an incompatible library can crash the process that loads it. */
async function probeNative(name: NativePackage): Promise<ProbeResult & { readonly usesGpu: boolean }> {
  const problem = nativePackageProblem(name);
  if (problem !== undefined) return { problem, usesGpu: false };
  try {
    const env = { ...process.env, ...NATIVE_ENVIRONMENT };
    const { stdout } = await run(process.execPath, ['-e', SCRIPT, nativeEntry(name)], {
      env,
      timeout: PROBE_TIMEOUT_MS,
    });
    const [tensorflow, usesGpu] = (stdout.split('\n').at(-1) ?? '').split(' ');
    return { ...(tensorflow === undefined ? {} : { tensorflow }), usesGpu: usesGpu === 'true' };
  } catch (error) {
    const message = errorMessage(error);
    const line = message.split('\n').find((each) => each.includes('Error:')) ?? 'the process that loaded it crashed';
    return { problem: line.trim(), usesGpu: false };
  }
}
