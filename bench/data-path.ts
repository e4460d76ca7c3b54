/**
 * Measures the memory and the time that each worker of a machine needs for the training images. In the first
 * measurement, the workers share the images through the page cache (as on a CPU). In the second, each worker copies the
 * images into its backend (as on a GPU).
 *
 *   npm run bench:data
 */
import { execFile } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { defaultDataDir } from '../agent/data/cache.ts';
import { loadImages } from '../agent/data/load.ts';

const WORKERS = 2;

interface Figures {
  readonly firstBatchMs: number;
  readonly batchMs: number;
  readonly residentMiB: number;
  readonly peakMiB: number;
}

const run = promisify(execFile);
const reader = fileURLToPath(new URL('./data-path/reader.js', import.meta.url));
const dataDir = defaultDataDir(process.env);

/** Runs several readers at once, like the workers of an agent. */
async function measure(method: string): Promise<readonly Figures[]> {
  const readers = Array.from({ length: WORKERS }, () => run(process.execPath, [reader, method, dataDir]));
  return (await Promise.all(readers)).map(({ stdout }) => JSON.parse(stdout) as Figures);
}

await (await loadImages('mnist', dataDir)).train.close();
console.log(
  `machine: ${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
);
console.log(`${WORKERS} processes at once, MNIST, 60,000 images, batches of 64, wasm backend\n`);
console.log('images           first batch   a batch   resident       peak');
for (const method of ['shared', 'copied']) {
  for (const { firstBatchMs, batchMs, residentMiB, peakMiB } of await measure(method)) {
    const cells = [
      `${firstBatchMs.toFixed(0)} ms`.padStart(13),
      `${batchMs.toFixed(2)} ms`.padStart(9),
      `${residentMiB.toFixed(0)} MiB`.padStart(10),
      `${peakMiB.toFixed(0)} MiB`.padStart(10),
    ];
    console.log(`${method.padEnd(14)}${cells.join(' ')}`);
  }
}
