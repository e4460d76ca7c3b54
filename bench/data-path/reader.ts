/**
 * Reads batches of MNIST and prints the memory and the time used, for bench/data-path.ts. Usage: `reader.js
 * shared|copied DATA_DIR`.
 */
import { readFileSync } from 'node:fs';
import { loadImages } from '../../agent/data/load.ts';
import { chooseBackend } from '../../agent/machine/backend.ts';
import { onDevice, trainImages } from '../../agent/trainers/autoencoder/images.ts';

/** The number of measured batches. After this many batches, the memory use is stable. */
const BATCHES = 500;
const BATCH = 64;

const [method = 'shared', dataDir = ''] = process.argv.slice(2);
await chooseBackend({ forced: 'wasm', gpus: 0, requireGpu: false });
const begun = performance.now();
const { train } = await loadImages('mnist', dataDir);
// `copied` keeps all training images as floats in the backend's memory, as a worker on a GPU does.
const images = method === 'copied' ? onDevice(train, train.count) : trainImages(train, train.count);
const batch = (first: number) => {
  images.pick(Int32Array.from({ length: BATCH }, (_, i) => (first + i * 919) % train.count)).dispose();
};
batch(0);
const firstBatchMs = performance.now() - begun;
const then = performance.now();
for (let i = 1; i <= BATCHES; i++) batch(i);
const batchMs = (performance.now() - then) / BATCHES;
const status = readFileSync('/proc/self/status', 'utf8');
const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]);
console.log(
  JSON.stringify({ firstBatchMs, batchMs, residentMiB: kilobytes('VmRSS') / 1024, peakMiB: kilobytes('VmHWM') / 1024 }),
);
