/**
 * Measures training speed: samples per second of the built-in trainer's step on every backend that loads here. The step
 * is compared with a step of the same network in stock TensorFlow.js (tf.layers, `minimize`) on the same backend, and in
 * PyTorch. PyTorch is installed from the Python registry, with a pinned version, into `~/.cache/trawl/peers`, unless
 * TRAWL_PYTHON names an interpreter that has it. All implementations run alternately. The rate of a plain matrix product
 * is also measured, as an upper bound. On a busy machine, the fastest step is more reliable than the mean.
 *
 * At the end, the trainers are compared with PyTorch in four modes: eager; eager with fused Adam; torch.compile; and
 * torch.compile with fused Adam. torch.compile needs a C++ compiler. Everything is measured with one thread, and again
 * with `--threads` threads, but WebAssembly always uses one thread. `--epochs` prints only this comparison. The figures
 * are medians of `--turns` turns. CPU time is also measured, because other load affects it less than wall time.
 *
 *   npm run bench:train -- [--threads 2] [--seconds 1.5] [--rounds 2] [--turns 7] [--batches 64,256] [--epochs]
 */
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BACKENDS } from '../agent/machine/backend.ts';
import { errorMessage } from '../lib/text/error-message.ts';
import { benchEnvironment, TORCH } from './pytorch.ts';
import { measureInTurns, type Rate, type Row } from './train/compare.ts';
import {
  type Computation,
  MATMUL_INNER,
  MATMUL_ROWS,
  type MeasuringProcess,
  pytorchPeer,
  tfjsPeer,
} from './train/peer.ts';
import { compareTrainers } from './train/trainers.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '1.5' },
    rounds: { type: 'string', default: '2' },
    turns: { type: 'string', default: '7' },
    threads: { type: 'string', default: `${availableParallelism()}` },
    batches: { type: 'string', default: '64,256' },
    epochs: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
const turns = Number(values.turns);
const threads = Number(values.threads);
const DEPTHS = [3, 5] as const;
const batches = values.batches.split(',').map(Number);
const PACK = 4;

console.log(
  `machine: ${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
);
const python = await pytorchInterpreter();
if (!values.epochs) await printTables();
await printTrainers();
console.log(`\nload at the end: ${load()}`);

async function printTables(): Promise<void> {
  const peers = new Map<string, MeasuringProcess>();
  for (const backend of BACKENDS) {
    const peer = await tfjsPeer(backend, threads);
    if (peer !== undefined) peers.set(backend, peer);
  }
  const torch = await pytorchPeer(threads, 'cpu', python);
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

/**
 * Returns the interpreter that has PyTorch. If PyTorch cannot be installed, prints the reason and returns `python3`.
 */
async function pytorchInterpreter(): Promise<string> {
  if (process.env.TRAWL_PYTHON !== undefined) return process.env.TRAWL_PYTHON;
  try {
    return join(await benchEnvironment(TORCH), 'python');
  } catch (error) {
    console.error(`PyTorch is left out: ${errorMessage(error)}`);
    return 'python3';
  }
}

/** Prints the comparison with PyTorch. The ratios compare times. A ratio below 1 means faster than PyTorch eager. */
async function printTrainers(): Promise<void> {
  console.log(`\na step of 64 images: medians of ${turns} turns of ${seconds} s; load ${load()}`);
  console.log('ratios: to PyTorch eager in the same turn; epoch: 60,000 images; first step: includes compilation');
  console.log(
    'depth  threads  trainer                      step ms   ratio    CPU ms   ratio   epoch s   first step s',
  );
  for (const count of threads === 1 ? [1] : [1, threads]) {
    for (const depth of DEPTHS) {
      const trainers = await compareTrainers(python, depth, count, seconds, turns);
      if (trainers.length === 0) return console.log('nothing to compare: PyTorch is not installed');
      for (const { name, stepMs, stepRatio, cpuMs, cpuRatio, epochS, firstStepS } of trainers) {
        const columns = [
          `${depth}`.padStart(5),
          `${count}`.padStart(9),
          `  ${name.padEnd(26)}`,
          stepMs.toFixed(2).padStart(10),
          stepRatio.toFixed(2).padStart(8),
          cpuMs.toFixed(2).padStart(10),
          cpuRatio.toFixed(2).padStart(8),
          epochS.toFixed(2).padStart(10),
          firstStepS.toFixed(1).padStart(15),
        ];
        console.log(columns.join(''));
      }
    }
  }
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

/** Returns a line of the table. The ratios compare speeds: 2 means twice as fast as the other implementation. */
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
