/**
 * Measures whether a sweep costs more if more of its trials have ended. The costs are the times of a restart, a ranking
 * and other calls, and the memory of the coordinator. Each size has a store on disk, which a separate process opens as
 * after a restart. No agent is connected.
 *
 *   npm run bench:large-sweeps
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { COSTS, type Costs } from './large-sweeps/costs.ts';
import { fillStore } from './large-sweeps/fill-store.ts';

const SIZES = [1e4, 1e5, 1e6];

const run = promisify(execFile);
const opener = fileURLToPath(new URL('./large-sweeps/open-store.js', import.meta.url));

async function measure(trials: number): Promise<Costs> {
  const folder = mkdtempSync(join(tmpdir(), 'trawl-finished-trials-'));
  try {
    await fillStore(folder, trials);
    const { stdout } = await run(process.execPath, ['--expose-gc', opener, folder]);
    return JSON.parse(stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

console.log(`machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.version}\n`);
console.log(`${'ended trials'.padStart(13)}${COSTS.map(({ title }) => title.padStart(11)).join('')}`);
for (const trials of SIZES) {
  const costs = await measure(trials);
  const cells = COSTS.map(({ name, unit }) => `${costs[name].toFixed(unit === 'ms' ? 1 : 0)} ${unit}`.padStart(11));
  console.log(`${trials}`.padStart(13) + cells.join(''));
}
