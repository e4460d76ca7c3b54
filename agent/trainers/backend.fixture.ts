import { type BackendName, chooseBackend, forcedBackend } from '../machine/backend.ts';

/** Loads the backend that the trainer's tests run on: the one in TRAWL_BACKEND, else wasm, which every machine has. */
export function chooseTestBackend(): Promise<{ readonly name: BackendName }> {
  const forced = forcedBackend(process.env) ?? 'wasm';
  return chooseBackend({ forced, gpus: forced === 'tensorflow-gpu' ? 1 : 0, requireGpu: false });
}
