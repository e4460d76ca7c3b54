/**
 * Measures training speed: samples per second of the built-in trainer's step on every backend that loads here. The step
 * is compared with a step of the same network in stock TensorFlow.js (tf.layers, `minimize`) on the same backend, and in
 * PyTorch if it is installed (TRAWL_PYTHON, or python3). All implementations run alternately. The rate of a plain
 * matrix product is the upper bound of the speed. On a busy machine, the fastest step is more reliable than the mean.
 * At the end, the time of an epoch is compared with PyTorch's, with one thread and with the number of threads that
 * `--threads` gives. `--epochs` prints only this comparison.
 *
 *   npm run bench:train -- [--threads 2] [--seconds 1.5] [--rounds 2] [--batches 64,256] [--epochs]
 */
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { BACKENDS } from '../agent/machine/backend.ts';
import { epochTimes, measureInTurns, type Rate, type Row } from './train/compare.ts';
import {
  type Computation,
  MATMUL_INNER,
  MATMUL_ROWS,
  type MeasuringProcess,
  pytorchPeer,
  tfjsPeer,
} from './train/peer.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '1.5' },
    rounds: { type: 'string', default: '2' },
    threads: { type: 'string', default: `${availableParallelism()}` },
    batches: { type: 'string', default: '64,256' },
    epochs: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const threads = Number(values.threads);
const DEPTHS = [3, 5] as const;
const batches = values.batches.split(',').map(Number);
const PACK = 4;

console.log(
  `machine: ${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
);
if (!values.epochs) await printTables();
await printEpochs();
console.log(`\nload at the end: ${load()}`);

async function printTables(): Promise<void> {
  const peers = new Map<string, MeasuringProcess>();
  for (const backend of BACKENDS) {
    const peer = await tfjsPeer(backend, threads);
    if (peer !== undefined) peers.set(backend, peer);
  }
  const torch = await pytorchPeer(threads, 'cpu');
  for (const peer of [...peers.values(), torch]) if (peer !== undefined) console.log(`with: ${peer.description}`);
  console.log(
    `libtensorflow and PyTorch: ${threads} thread(s), wasm one; best of ${rounds} rounds of ${seconds} s; load ${load()}\n`,
  );
  try {
    for (const batch of batches) await printMatmul(peers, torch, batch);
    console.log(
      '\nbackend            depth  batch  pack   samples/s   step ms  to tf.layers  to PyTorch  fastest ms  to PyTorch',
    );
    for (const depth of DEPTHS) for (const batch of batches) await printSteps(peers, torch, depth, batch);
  } finally {
    for (const peer of [...peers.values(), torch]) peer?.stop();
  }
}

/** Prints epoch times. The ratio compares times, not speeds. A ratio below 1 means faster than PyTorch. */
async function printEpochs(): Promise<void> {
  console.log(
    `\ntime of an epoch of 60,000 samples at batch 64, estimated from the mean step time in the best of ${rounds} rounds; load ${load()}`,
  );
  console.log('depth  threads  tensorflow s   (steps)  PyTorch s   (steps)  time to PyTorch');
  const counts = threads === 1 ? [1] : [1, threads];
  let printed = 0;
  for await (const { depth, threads, trainers } of epochTimes(counts, seconds, rounds)) {
    const [own, torch] = trainers;
    if (own === undefined || torch === undefined) continue;
    const times = [own, torch].map(
      ({ epochS, steps }) => `${epochS.toFixed(2).padStart(12)}${`(${steps})`.padStart(10)}`,
    );
    const ratio = (own.epochS / torch.epochS).toFixed(2).padStart(15);
    console.log(`${`${depth}`.padStart(5)}${`${threads}`.padStart(9)}  ${times.join('')}${ratio}`);
    printed++;
  }
  if (printed === 0)
    console.log('nothing to compare: libtensorflow (npm run setup:native) or PyTorch (TRAWL_PYTHON) is not installed');
}

function load(): string {
  return (loadavg()[0] ?? 0).toFixed(1);
}

async function printMatmul(
  peers: ReadonlyMap<string, MeasuringProcess>,
  torch: MeasuringProcess | undefined,
  batch: number,
): Promise<void> {
  const row = (name: string, peer: MeasuringProcess): Row => ({
    name,
    peer,
    request: { subject: 'matmul', depth: 3, batch, pack: 1, seconds: seconds / 2 },
  });
  const rows = [...peers].map(([name, peer]) => row(name, peer));
  if (torch !== undefined) rows.push(row('PyTorch', torch));
  for (const {
    row: { name },
    stepMs,
  } of await measureInTurns(rows, rounds)) {
    const rate = (2 * MATMUL_ROWS * MATMUL_INNER * batch) / (stepMs * 1e6);
    console.log(
      `matmul [${MATMUL_ROWS}, ${MATMUL_INNER}] x [${MATMUL_INNER}, ${batch}]  ${name.padEnd(14)} ${rate.toFixed(1).padStart(6)} GFLOP/s`,
    );
  }
}

async function printSteps(
  peers: ReadonlyMap<string, MeasuringProcess>,
  torch: MeasuringProcess | undefined,
  depth: 3 | 5,
  batch: number,
): Promise<void> {
  const row = (name: string, peer: MeasuringProcess, subject: Computation, pack = 1): Row => ({
    name,
    peer,
    request: { subject, depth, batch, pack, seconds },
  });
  const rows = [...peers].flatMap(([name, peer]) => [
    row(name, peer, 'trawl'),
    ...(batch === batches[0] ? [row(name, peer, 'trawl', PACK)] : []),
    row(`${name}, stock`, peer, 'stock'),
  ]);
  if (torch !== undefined) rows.push(row('PyTorch', torch, 'trawl'));
  const rates = await measureInTurns(rows, rounds);
  const rateOf = (name: string) => rates.find(({ row: each }) => each.name === name);
  for (const rate of rates) console.log(lineOf(rate, rateOf(`${rate.row.name}, stock`), rateOf('PyTorch')));
}

/** Returns a line of the table. The ratios compare speeds. A ratio of 2 means twice as fast. */
function lineOf(rate: Rate, stock: Rate | undefined, torch: Rate | undefined): string {
  const { name, request } = rate.row;
  const { depth, batch, pack } = request;
  const other = torch === rate ? undefined : torch;
  const ratio = (to: number | undefined, of: number) => (to === undefined ? '' : (of / to).toFixed(2));
  const fastest = (each: Rate) => each.row.request.pack / each.leastMs;
  return [
    name.padEnd(17),
    `${depth}`.padStart(5),
    `${batch}`.padStart(6),
    `${pack}`.padStart(5),
    rate.samplesPerSecond.toFixed(0).padStart(11),
    rate.stepMs.toFixed(2).padStart(9),
    ratio(stock?.samplesPerSecond, rate.samplesPerSecond).padStart(13),
    ratio(other?.samplesPerSecond, rate.samplesPerSecond).padStart(11),
    rate.leastMs.toFixed(2).padStart(11),
    ratio(other && fastest(other), fastest(rate)).padStart(11),
  ]
    .join(' ')
    .trimEnd();
}
