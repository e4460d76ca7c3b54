/**
 * Measures training on an NVIDIA GPU. Checks that TensorFlow.js can use the GPU, and then measures the speed and the
 * use of the GPU for single trials and packs of 4, 16 and 64. If PyTorch is installed (TRAWL_PYTHON, or python3), also
 * measures the network of the trials in PyTorch.
 *
 *   npm run setup:native -- --cuda && npm run bench:gpu -- [--seconds 5] [--packs 1,4,16,64] [--backend tensorflow-gpu]
 *
 * `--backend wasm` or `tensorflow` runs the benchmark on a CPU, to test this script.
 */
import { parseArgs } from 'node:util';
import { BACKENDS, type BackendName } from '../../agent/machine/backend.ts';
import { listGpus } from '../../agent/machine/gpus.ts';
import { probeBackends } from '../../agent/machine/probe.ts';
import { measureInTurns } from '../train/compare.ts';
import { type MeasuringProcess, pytorchPeer, tfjsPeer } from '../train/peer.ts';
import { sampleGpuDuring } from './nvidia-smi.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    packs: { type: 'string', default: '1,4,16,64' },
    backend: { type: 'string', default: 'tensorflow-gpu' },
  },
});
const backend = BACKENDS.find((name) => name === values.backend);
const seconds = Number(values.seconds);
const packs = values.packs.split(',').map(Number);
const THREADS = 4;
const BATCH = 64;

if (backend === undefined) {
  console.error(`--backend: expected one of ${BACKENDS.join(', ')}`);
  process.exitCode = 2;
} else if (!(await isUsable(backend))) {
  process.exitCode = 3;
} else {
  await bench(backend);
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
  const peer = await tfjsPeer(name, THREADS);
  if (peer === undefined) throw new Error(`${name} loads, but the process that uses it ended`);
  const torch = await pytorchPeer(THREADS, name === 'tensorflow-gpu' ? 'cuda' : 'cpu');
  try {
    for (const one of [peer, torch]) if (one !== undefined) console.log(`with: ${one.description}`);
    console.log('\ntrainer         depth  pack   samples/s per trial    step ms   GPU busy   GPU MiB');
    for (const depth of [3, 5] as const) {
      for (const pack of packs) await print('trawl', peer, depth, pack);
      if (torch !== undefined) await print('PyTorch', torch, depth, 1);
    }
  } finally {
    peer.stop();
    torch?.stop();
  }
}

async function print(name: string, peer: MeasuringProcess, depth: 3 | 5, pack: number): Promise<void> {
  const request = { subject: 'trawl', depth, batch: BATCH, pack, seconds } as const;
  const { result, use } = await sampleGpuDuring(() => measureInTurns([{ name, peer, request }], 1));
  const [{ samplesPerSecond, stepMs } = { samplesPerSecond: Number.NaN, stepMs: Number.NaN }] = result;
  const cells = [
    name.padEnd(15),
    `${depth}`.padStart(5),
    `${pack}`.padStart(5),
    samplesPerSecond.toFixed(0).padStart(11),
    (samplesPerSecond / pack).toFixed(0).padStart(9),
    stepMs.toFixed(2).padStart(10),
    (use === undefined ? '-' : `${Math.round(use.utilization * 100)}%`).padStart(10),
    (use === undefined ? '-' : `${use.memoryMiB}`).padStart(9),
  ];
  console.log(cells.join(' '));
}
