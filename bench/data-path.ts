/**
 * The data path: what the training images cost each worker of a machine in memory and time, shared through the page
 * cache (as trawl has them on a CPU) beside a copy in each worker's backend, in one run.
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

/** Several at once, as the workers of an agent are. */
async function measure(way: string): Promise<readonly Figures[]> {
  const readers = Array.from({ length: WORKERS }, () => run(process.execPath, [reader, way, dataDir]));
  return (await Promise.all(readers)).map(({ stdout }) => JSON.parse(stdout) as Figures);
}

// Cached from here on.
await (await loadImages('mnist', dataDir)).train.close();
console.log(
  `machine: ${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
);
console.log(`${WORKERS} processes at once, MNIST, 60,000 images, batches of 64, wasm backend\n`);
console.log('images           first batch   a batch   resident       peak');
for (const way of ['shared', 'copied']) {
  for (const { firstBatchMs, batchMs, residentMiB, peakMiB } of await measure(way)) {
    const cells = [
      `${firstBatchMs.toFixed(0)} ms`.padStart(13),
      `${batchMs.toFixed(2)} ms`.padStart(9),
      `${residentMiB.toFixed(0)} MiB`.padStart(10),
      `${peakMiB.toFixed(0)} MiB`.padStart(10),
    ];
    console.log(`${way.padEnd(14)}${cells.join(' ')}`);
  }
}
