import { type BackendName, chooseBackend, forcedBackend } from '../machine/backend.ts';

/**
 * Loads the backend for the trainer's tests: the backend in TRAWL_BACKEND, or else wasm, which works on every machine.
 */
export function chooseTestBackend(): Promise<{ readonly name: BackendName }> {
  const forced = forcedBackend(process.env) ?? 'wasm';
  return chooseBackend({ forced, gpus: forced === 'tensorflow-gpu' ? 1 : 0, requireGpu: false });
}
