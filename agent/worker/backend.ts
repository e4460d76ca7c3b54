/** Loads the TensorFlow.js backend of a worker, and the built-in trainer that uses the backend. */
import { type BackendName, chooseBackend, forcedBackend } from '../machine/backend.ts';
import { gpuStrategy } from '../trainers/autoencoder/engine.ts';
import { openFirstSession } from '../trainers/autoencoder/libtensorflow.ts';
import type { WorkerSetup } from './ipc.ts';

/**
 * Loads the first backend that works, then the trainer. The function must be called once per process, before any
 * computation.
 * @throws {BadInputError} when TRAWL_BACKEND or TRAWL_GPU_PACKS is invalid, or when no accepted backend loads
 */
export async function loadBackend({ requireGpu, gpus, loadsOnDemand }: WorkerSetup): Promise<BackendName> {
  const forced = loadsOnDemand === true ? 'wasm' : forcedBackend(process.env);
  // Checked now, so that an agent with an invalid TRAWL_GPU_PACKS does not start. (If the variable is set, the agent does
  // not let its workers load on demand.)
  gpuStrategy(process.env);
  const backend = await chooseBackend({ requireGpu, gpus, forced });
  openFirstSession();
  // Loaded together with the backend, because an upgrade can replace trawl's files before the first trial.
  await import('../trainers/autoencoder/train.ts');
  return backend.name;
}
