/**
 * Measures training on an NVIDIA GPU. By default, checks that TensorFlow.js can use the GPU, and then measures the speed
 * and the use of the GPU for single trials and for packs of 4, 16 and 64. For comparison, also measures single trials
 * in PyTorch, if the interpreter (TRAWL_PYTHON, or python3) has it.
 *
 *   npm run setup:native -- --cuda && npm run bench:gpu -- [--seconds 5] [--packs 1,4,16,64] [--backend tensorflow-gpu]
 *
 * `--all` runs every check that needs a GPU, within ten minutes (docs/gpu.md), and writes `results.md` and
 * `results.json` after each finding:
 *
 *   npm run bench:gpu -- --all [--out DIR] [--only NAME,NAME] [--limit 600]
 *
 * `--bundle DIR` packs everything that `--all` needs, except PyTorch and the driver, into pieces of at most 64 MiB
 * (`--piece BYTES`), for a machine without a network (docs/gpu.md).
 *
 * To test this script, `--backend wasm` or `tensorflow` runs it on a CPU, and `--small` reduces the work.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { BackendName } from '../../agent/machine/backend.ts';
import { listGpus } from '../../agent/machine/gpus.ts';
import { probeBackends } from '../../agent/machine/probe.ts';
import { packageRoot } from '../../bin/package.ts';
import { allSteps } from './all-steps.ts';
import { bundleEntries, writeBundle } from './bundle.ts';
import { exitCodeOf, summaryLines, writeReport } from './report.ts';
import { backendNamed, measureOne, SPEED_COLUMNS, speedCells, torchPeer, trawlPeer } from './speed.ts';
import { runSteps, type StepReport } from './step-runner.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    packs: { type: 'string', default: '1,4,16,64' },
    backend: { type: 'string', default: 'tensorflow-gpu' },
    all: { type: 'boolean', default: false },
    out: { type: 'string', default: 'gpu-results' },
    only: { type: 'string' },
    limit: { type: 'string', default: '600' },
    small: { type: 'boolean', default: false },
    bundle: { type: 'string' },
    piece: { type: 'string', default: `${64 * 2 ** 20}` },
  },
});

/** The widths of SPEED_COLUMNS. */
const WIDTHS = [10, 8, 6, 11, 11, 10, 10, 10] as const;

try {
  const backend = backendNamed(values.backend);
  if (values.bundle !== undefined) await bundle(values.bundle);
  else if (values.all) process.exitCode = await runAll(backend);
  else if (await isUsable(backend)) await bench(backend);
  else process.exitCode = 3;
} catch (error) {
  if (!(error instanceof RangeError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}

/** @throws {RangeError} if an option is invalid */
async function runAll(backend: BackendName): Promise<number> {
  // The variable selects one graph per pack, because this strategy must still be checked on a GPU. The processes of all
  // steps inherit it.
  process.env.TRAWL_GPU_PACKS = 'graph';
  const steps = allSteps({ backend, small: values.small });
  const names = values.only?.split(',') ?? steps.map(({ name }) => name);
  const unknown = names.find((name) => !steps.some((step) => step.name === name));
  if (unknown !== undefined)
    throw new RangeError(`--only ${unknown}: expected one of ${steps.map(({ name }) => name).join(', ')}`);
  const limit = Number(values.limit);
  if (!(limit > 0)) throw new RangeError(`--limit ${values.limit}: expected a number of seconds`);
  const header = { command: ['bench:gpu', ...process.argv.slice(2)].join(' '), started: new Date().toISOString() };
  let before: readonly StepReport[] = [];
  const reports = await runSteps(
    steps.filter(({ name }) => names.includes(name)),
    limit,
    (steps) => {
      writeReport(values.out, { ...header, steps });
      for (const [at, { name, state, seconds }] of steps.entries())
        if (state !== (before[at]?.state ?? 'not started')) console.log(`${name}: ${state} (${seconds} s)`);
      before = steps;
    },
  );
  console.log(`\n${summaryLines(reports).join('\n')}\n\n${values.out}/results.md and results.json`);
  return exitCodeOf(reports);
}

async function bundle(out: string): Promise<void> {
  const bytes = Number(values.piece);
  if (!(Number.isInteger(bytes) && bytes > 0))
    throw new RangeError(`--piece ${values.piece}: expected a number of bytes`);
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'trawl');
  const entries = bundleEntries(packageRoot(), cache, process.execPath);
  const pieces = await writeBundle(entries, out, bytes);
  const total = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
  console.log(`${out}: ${(total / 2 ** 20).toFixed(0)} MiB in ${pieces.length} pieces`);
}

async function isUsable(name: BackendName): Promise<boolean> {
  const gpus = await listGpus();
  for (const { index, name: card, memoryBytes } of gpus) {
    console.log(`GPU ${index}: ${card}, ${Math.round(memoryBytes / 2 ** 20)} MiB`);
  }
  const probed = (await probeBackends()).find((probe) => probe.name === name);
  if (probed?.loads) return true;
  console.error(`could not load ${name}: ${probed?.reason}`);
  return false;
}

async function bench(name: BackendName): Promise<void> {
  const seconds = Number(values.seconds);
  const peer = await trawlPeer(name);
  const torch = await torchPeer(name);
  const print = (cells: readonly string[]) =>
    console.log(cells.map((cell, at) => cell.padStart(WIDTHS[at] ?? 10)).join(''));
  try {
    for (const one of [peer, torch]) if (one !== undefined) console.log(`with: ${one.description}`);
    print(SPEED_COLUMNS);
    for (const depth of [3, 5] as const) {
      for (const pack of values.packs.split(',').map(Number))
        print(speedCells(await measureOne('trawl', peer, { depth, pack, seconds })));
      if (torch !== undefined) print(speedCells(await measureOne('PyTorch', torch, { depth, pack: 1, seconds })));
    }
  } finally {
    peer.stop();
    torch?.stop();
  }
}
