/** Makes the wasm backend say when its heap is full. */

interface WasmBackend {
  readonly wasm: { _malloc(bytes: number): number; _free(address: number): void };
}

/**
 * The backend (tfjs 4.22) takes malloc's answer unseen: beyond 4 GB a tensor lies at address 0, over the heap's own
 * bookkeeping, and training goes on with wrong numbers. From here on such an allocation throws.
 * @param backend TensorFlow.js's wasm backend.
 * @throws {Error} when it is not: another version of it, that needs another guard.
 */
export function guardWasmHeap(backend: object): void {
  if (!isWasmBackend(backend)) throw new Error('the wasm backend is of a version without wasm._malloc');
  const { wasm } = backend;
  // At its first call emscripten's stub puts the real function in its own place, and would put it in ours.
  wasm._free(wasm._malloc(1));
  const malloc = wasm._malloc;
  wasm._malloc = (bytes) => {
    const address = malloc(bytes);
    if (address === 0 && bytes > 0) throw new RangeError(`out of memory: no ${bytes} bytes are left in the wasm heap`);
    return address;
  };
}

function isWasmBackend(backend: object): backend is WasmBackend {
  if (!('wasm' in backend) || typeof backend.wasm !== 'object' || backend.wasm === null) return false;
  return '_malloc' in backend.wasm && '_free' in backend.wasm;
}
