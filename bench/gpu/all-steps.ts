/** The steps of `npm run bench:gpu -- --all`. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { BackendName } from '../../agent/machine/backend.ts';
import { probeBackends } from '../../agent/machine/probe.ts';
import type { Strategy } from '../../agent/trainers/autoencoder/engine.ts';
import { layersOf } from '../../agent/trainers/autoencoder/model.ts';
import { packGraph } from '../../agent/trainers/autoencoder/pack-graph.ts';
import { MAX_AUTO_PACK } from '../../agent/trainers/autoencoder/pack-size.ts';
import { packageRoot } from '../../bin/package.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import type { MeasuringProcess } from '../train/peer.ts';
import { CUDA_LIBRARIES, inspectMachine, missingCuda } from './machine.ts';
import {
  type Measured,
  measureOne,
  SPEED_COLUMNS,
  speedCells,
  torchPeer,
  torchProcesses,
  trawlPeer,
  type Wanted,
} from './speed.ts';
import { CouldNotRun, type Step, type StepLog } from './step-runner.ts';
import { checkOnce, runSweep, type SweepOptions, untilTrials } from './sweeps.ts';

export interface AllOptions {
  /**
   * The backend to check: normally `tensorflow-gpu`. Other backends are only for tests of the steps on a machine
   * without a GPU.
   */
  readonly backend: BackendName;
  /** Reduces the work to a few seconds per step, to test the steps. */
  readonly small: boolean;
}

/** The amounts of work. */
interface Scale {
  readonly seconds: number;
  readonly depths: readonly (3 | 5)[];
  readonly packs: readonly number[];
  readonly torchProcesses: readonly number[];
  readonly sweep: Pick<SweepOptions, 'trials' | 'epochs' | 'trainSize' | 'testSize'>;
  /** The sweep of the step `kill`. It runs long enough for a worker to be killed. */
  readonly disturbed: Pick<SweepOptions, 'trials' | 'epochs' | 'trainSize' | 'testSize'> & { readonly pack: number };
}

const FULL: Scale = {
  seconds: 3,
  depths: [3, 5],
  packs: [1, 4, 16, 64],
  torchProcesses: [1, 2, 4, 8, 16],
  sweep: { trials: 200, epochs: 2, trainSize: 60_000, testSize: 10_000 },
  disturbed: { trials: 32, epochs: 10, trainSize: 60_000, testSize: 1_000, pack: 16 },
};
const SMALL: Scale = {
  seconds: 0.1,
  depths: [3],
  packs: [1, 2],
  torchProcesses: [1],
  sweep: { trials: 4, epochs: 1, trainSize: 64, testSize: 100 },
  // The sweep must still run when the state of its trials is read, which takes seconds on a busy machine.
  disturbed: { trials: 2, epochs: 30, trainSize: 640, testSize: 100, pack: 2 },
};

/**
 * The target for trawl's throughput on one GPU, as a multiple of the throughput of PyTorch eager with its best number of
 * processes.
 */
const TARGET = 10;
/** The automatic pack size must reach this share of the throughput of the best pack size. */
const AUTO_SHARE = 0.9;
/**
 * The GPU memory that the step `oom` leaves free, in MiB. A pack of OOM_PACK trials (about 6 GB) does not fit into it,
 * but a worker without trials does.
 */
const LEFT_MIB = 1_500;
const OOM_PACK = 256;
const OOM_SWEEP = { trials: OOM_PACK, pack: OOM_PACK, epochs: 2, trainSize: 640, testSize: 1_000 };

/** Findings with which later steps compare their own findings. */
interface Findings {
  /** The fastest measurement of trawl with 3 layers. */
  trawl?: Measured;
}

/** With `small`, the time limits are multiplied by this factor, because the machine may be slow or busy. */
const SMALL_LIMITS = 3;

export function allSteps(options: AllOptions): readonly Step[] {
  const factor = options.small ? SMALL_LIMITS : 1;
  return stepsOf(options).map((step) => ({ ...step, limitS: step.limitS * factor }));
}

function stepsOf({ backend, small }: AllOptions): readonly Step[] {
  const scale = small ? SMALL : FULL;
  const findings: Findings = {};
  const onGpu = backend === 'tensorflow-gpu';
  const sweepOf = ({ signal }: StepLog) => ({ backend, signal, ...scale.sweep });
  return [
    {
      ...{ name: 'machine', title: 'The hardware and software of the machine', limitS: 15 },
      run: (log) => describeMachine(log),
    },
    {
      ...{ name: 'install', title: 'Install libtensorflow for GPUs', limitS: 90 },
      run: (log) => install(log, onGpu),
    },
    {
      ...{ name: 'kernels', title: 'GPU kernels for the graph of a pack', limitS: 30 },
      run: (log) => checkKernels(log),
    },
    {
      ...{ name: 'speed', title: 'Training steps', limitS: 150, columns: SPEED_COLUMNS },
      run: (log) => measureSpeed(log, backend, scale, findings),
    },
    {
      ...{ name: 'pytorch', title: 'PyTorch in several processes', limitS: 90, columns: SPEED_COLUMNS },
      run: (log) => measureProcesses(log, backend, scale, findings),
    },
    {
      ...{ name: 'pack', title: 'The automatic pack size', limitS: 45, columns: SPEED_COLUMNS },
      run: (log) => compareAutomatic(log, backend, scale),
    },
    {
      ...{ name: 'sweep', title: `A sweep of ${scale.sweep.trials} trials with packs`, limitS: 90 },
      run: async (log) => {
        await requireBackend(backend);
        const { trials } = scale.sweep;
        const { seconds, stored } = await runSweep({ ...sweepOf(log), pack: onGpu ? 'auto' : 2 });
        checkOnce(stored, trials);
        const perHour = Math.round((trials * 3600) / seconds);
        return `${trials} trials succeeded in ${seconds.toFixed(1)} s, start and end of trawl up included: ${perHour} per hour`;
      },
    },
    {
      ...{ name: 'kill', title: 'A worker is killed while it trains a pack', limitS: 60 },
      run: (log) => killInPack(log, backend, scale),
    },
    {
      ...{ name: 'oom', title: 'The GPU runs out of memory', limitS: 90 },
      run: (log) => provokeOom(log, backend),
    },
    {
      ...{ name: 'tests', title: `The trainer's tests on ${backend}`, limitS: 180 },
      run: (log) => runTests(log, backend, small),
    },
  ];
}

async function describeMachine(log: StepLog): Promise<string> {
  const machine = await inspectMachine();
  for (const line of machine.lines) log.line(line);
  const missing = missingCuda(machine);
  const has = missing.length === 0 ? 'all' : `${CUDA_LIBRARIES.length - missing.length} of ${CUDA_LIBRARIES.length}`;
  const lacks = missing.length === 0 ? '' : ` (missing: ${missing.join(', ')})`;
  return `${machine.gpus.length > 0 ? machine.gpus.join('; ') : 'no NVIDIA GPU'}; ${has} of the CUDA libraries that TensorFlow opens${lacks}`;
}

let probed: ReturnType<typeof probeBackends> | undefined;

/**
 * Checks that a backend loads. The first call probes all backends. It comes after the step that installs libtensorflow.
 * @throws {CouldNotRun} with the reason why the backend does not load
 */
async function requireBackend(backend: BackendName): Promise<void> {
  probed ??= probeBackends();
  const probe = (await probed).find(({ name }) => name === backend);
  if (!probe?.loads) throw new CouldNotRun(`${backend} does not load: ${probe?.reason}`);
}

/**
 * Installs libtensorflow from the cache only: a download of gigabytes would not end within the time limit. The setup
 * without the step `dependencies` needs no network.
 */
const INSTALL = `const [, folder, root] = process.argv;
const { existsSync } = await import('node:fs');
const { join } = await import('node:path');
const [{ setUpNative }, { sourcesFor }, { libtensorflowCache }] = await Promise.all(
  ['set-up-native.mjs', 'sources.mjs', 'cache.mjs'].map((name) => import(new URL(name, folder))));
const cache = libtensorflowCache(process.env);
const sources = await sourcesFor({ variant: 'cuda' });
if (!sources.some(({ key }) => existsSync(join(cache, key)))) throw new Error(cache + ' has no libtensorflow for GPUs');
await setUpNative({ root, variant: 'cuda', log: (line) => console.log(line) });`;

async function install(log: StepLog, onGpu: boolean): Promise<string> {
  if (!onGpu) throw new CouldNotRun('only with --backend tensorflow-gpu');
  const folder = pathToFileURL(join(packageRoot(), 'deploy', 'libtensorflow', '/')).href;
  const { code, output } = await runProgram(log, process.execPath, [
    ...['--input-type=module', '-e', INSTALL, folder, packageRoot()],
  ]);
  const proof = output.findLast((line) => line.includes('trained a network on the'));
  if (code !== 0) {
    const reason = output.find((line) => line.startsWith('Error:') || line.includes('Error: ')) ?? output.at(-1);
    throw new CouldNotRun(`libtensorflow could not be installed: ${reason?.replace(/^.*Error: /, '')}`);
  }
  if (proof === undefined) throw new Error('the setup did not train a network');
  if (proof.includes('no GPU was found')) throw new CouldNotRun(proof);
  if (!proof.includes('on the GPU')) throw new Error(`the setup trained on the CPU: ${proof}`);
  return proof;
}

/** Numbers of TensorFlow's DataType. */
const TYPES: Readonly<Record<string, number>> = { DT_FLOAT: 1, DT_INT32: 3, DT_INT64: 9, DT_RESOURCE: 20 };

/** Returns the operations of the graphs of packs, in the form that kernels.py reads. */
function graphOperations(): readonly string[] {
  const member = { lambdaL1: 1e-5, weightDecay: 1e-5, l1InGradient: true };
  const found = new Set<string>();
  for (const different of [true, false]) {
    const options = { layers: layersOf(3, 30), members: [member, member], device: 'GPU:0' };
    const text = packGraph({ ...options, sameRates: !different, noise: different });
    for (const [, operation, rest = ''] of text.matchAll(/ op: "(\w+)"(.*)/g)) {
      const types = [...rest.matchAll(/key: "(\w+)" value \{ type: (\w+) \}/g)];
      found.add([operation, ...types.map(([, name, type = '']) => `${name}=${TYPES[type]}`).sort()].join(' '));
    }
  }
  return [...found].sort();
}

async function checkKernels(log: StepLog): Promise<string> {
  const folder = join(packageRoot(), 'node_modules', '@tensorflow', 'tfjs-node-gpu', 'deps', 'lib');
  const script = join(packageRoot(), 'bench', 'gpu', 'kernels.py');
  const operations = graphOperations();
  const { code, output } = await runProgram(log, 'python3', [script, folder], { input: operations.join('\n') });
  const summary = output.find((line) => line.startsWith('TensorFlow '));
  if (code !== 0 || summary === undefined) throw new CouldNotRun(`kernels.py failed: ${output.at(-1)}`);
  const missing = output.filter((line) => operations.includes(line));
  if (missing.length > 0) throw new Error(`no GPU kernel for: ${missing.join('; ')}`);
  return `${summary} of the graph, each with a GPU kernel`;
}

/**
 * Returns the strategy to check. On a GPU, this is one graph per pack, although a worker on a GPU does not use this
 * strategy by default. On other backends, returns undefined, which selects the default strategy.
 */
function ownStrategy(backend: BackendName): Strategy | undefined {
  return backend === 'tensorflow-gpu' ? 'pack-graph' : undefined;
}

async function measureSpeed(log: StepLog, backend: BackendName, scale: Scale, findings: Findings): Promise<string> {
  await requireBackend(backend);
  const failures: string[] = [];
  const { seconds } = scale;
  const largest = scale.packs.at(-1) ?? 1;
  const strategy = ownStrategy(backend);
  for (const depth of scale.depths) {
    const rowsOfTrawl: MeasuredRow[] = scale.packs.map((pack) => ({
      ...{ name: 'trawl', wanted: { depth, pack, seconds, strategy } },
    }));
    rowsOfTrawl.push({
      ...{ name: 'trawl, single operations', wanted: { depth, pack: largest, seconds, strategy: 'stacked' } },
    });
    for (const measured of await measureAll(log, () => trawlPeer(backend), rowsOfTrawl, failures)) {
      const best = findings.trawl?.samplesPerSecond ?? 0;
      if (measured.depth === 3 && measured.name === 'trawl' && measured.samplesPerSecond > best)
        findings.trawl = measured;
    }
    // PyTorch's compilation takes up to a minute, so only networks with 3 layers are compiled.
    const modes = depth === 3 ? (['eager', 'compile', 'vmap'] as const) : (['eager'] as const);
    const rowsOfTorch = modes.map((mode) => ({
      ...{ name: `PyTorch ${mode}`, wanted: { depth, pack: mode === 'vmap' ? largest : 1, seconds, mode } },
    }));
    await measureAll(log, () => torchPeer(backend), rowsOfTorch, failures);
  }
  if (failures.length > 0) throw new Error(failures.join('; '));
  const { pack, samplesPerSecond } = findings.trawl ?? { pack: 0, samplesPerSecond: 0 };
  return `3 layers: trawl is fastest with packs of ${pack}: ${samplesPerSecond.toFixed(0)} images per second`;
}

interface MeasuredRow {
  readonly name: string;
  readonly wanted: Wanted;
}

/**
 * Measures the rows one after another in one process. If the process fails, adds the reason to `failures`, and measures
 * the next row in a new process.
 * @param start starts a process; resolves to undefined if PyTorch is not installed, and nothing is then measured
 */
async function measureAll(
  log: StepLog,
  start: () => Promise<MeasuringProcess | undefined>,
  rows: readonly MeasuredRow[],
  failures: string[],
): Promise<readonly Measured[]> {
  const found: Measured[] = [];
  let peer: MeasuringProcess | undefined;
  const stop = () => peer?.stop();
  log.signal.addEventListener('abort', stop);
  try {
    for (const { name, wanted } of rows) {
      log.signal.throwIfAborted();
      try {
        if (peer === undefined) {
          peer = await start();
          if (peer === undefined) {
            log.line('PyTorch is not installed (TRAWL_PYTHON, or python3)');
            return found;
          }
          log.line(`with: ${peer.description}`);
        }
        const measured = await measureOne(name, peer, wanted);
        log.row(...speedCells(measured));
        found.push(measured);
      } catch (error) {
        log.signal.throwIfAborted();
        const reason = `${name}, ${wanted.depth} layers, pack ${wanted.pack}: ${errorMessage(error)}`;
        log.line(reason);
        failures.push(reason);
        peer?.stop();
        peer = undefined;
      }
    }
    return found;
  } finally {
    log.signal.removeEventListener('abort', stop);
    stop();
  }
}

async function measureProcesses(log: StepLog, backend: BackendName, scale: Scale, findings: Findings): Promise<string> {
  await requireBackend(backend);
  let best: Measured | undefined;
  for (const count of scale.torchProcesses) {
    log.signal.throwIfAborted();
    const measured = await torchProcesses(backend, count, 3, scale.seconds);
    if (measured === undefined) throw new CouldNotRun('PyTorch is not installed (TRAWL_PYTHON, or python3)');
    log.row(...speedCells(measured));
    if (measured.samplesPerSecond > (best?.samplesPerSecond ?? 0)) best = measured;
  }
  const { trawl } = findings;
  if (trawl === undefined || best === undefined) throw new CouldNotRun("trawl's speed was not measured");
  const ratio = trawl.samplesPerSecond / best.samplesPerSecond;
  const finding = `trawl trains ${ratio.toFixed(1)} times as fast as PyTorch eager in ${best.pack} processes`;
  if (backend === 'tensorflow-gpu' && ratio < TARGET) throw new Error(`${finding}, and the target is ${TARGET} times`);
  return finding;
}

async function compareAutomatic(log: StepLog, backend: BackendName, scale: Scale): Promise<string> {
  await requireBackend(backend);
  if (backend !== 'tensorflow-gpu') throw new CouldNotRun('packs are chosen automatically on GPUs only');
  const { code, output } = await runProgram(log, process.execPath, [siblingProgram('automatic-pack')]);
  const pack = Number(output.at(-1));
  if (code !== 0 || !(pack >= 1)) throw new Error(`the automatic pack size could not be measured: ${output.at(-1)}`);
  const peer = await trawlPeer(backend);
  try {
    const measured: Measured[] = [];
    for (const size of [...new Set([...scale.packs, 128, 256, pack])].sort((a, b) => a - b)) {
      log.signal.throwIfAborted();
      const one = await measureOne(size === pack ? 'trawl (auto)' : 'trawl', peer, {
        depth: 3,
        ...{ pack: size, seconds: 2, strategy: ownStrategy(backend) },
      });
      log.row(...speedCells(one));
      measured.push(one);
    }
    const allowed = measured.filter((each) => each.pack <= MAX_AUTO_PACK);
    const best = Math.max(...allowed.map(({ samplesPerSecond }) => samplesPerSecond));
    const own = measured.find((each) => each.pack === pack)?.samplesPerSecond ?? 0;
    const finding = `the automatic pack of ${pack} reaches ${(own / best).toFixed(2)} of the best throughput of packs of 1 to ${MAX_AUTO_PACK}`;
    if (own < AUTO_SHARE * best) throw new Error(`${finding}, expected at least ${AUTO_SHARE}`);
    return finding;
  } finally {
    peer.stop();
  }
}

async function killInPack({ signal }: StepLog, backend: BackendName, scale: Scale): Promise<string> {
  await requireBackend(backend);
  const { trials, pack } = scale.disturbed;
  let killed = 0;
  const { stored } = await runSweep({ backend, signal, ...scale.disturbed }, async (sweep) => {
    await untilTrials(sweep, (all) => all.some(({ state, epoch }) => state === 'running' && epoch > 0));
    killed = sweep.killWorkers();
    if (killed === 0) throw new Error('there was no worker to kill');
  });
  const { crashes } = checkOnce(stored, trials);
  if (crashes === 0 || crashes > pack) throw new Error(`${crashes} attempts crashed, expected 1 to ${pack}`);
  return `${trials} trials succeeded exactly once; the kill ended the attempts of ${crashes} trials of a pack of ${pack}`;
}

async function provokeOom(log: StepLog, backend: BackendName): Promise<string> {
  if (backend !== 'tensorflow-gpu') throw new CouldNotRun('this step fills the memory, which is safe only on a GPU');
  await requireBackend(backend);
  const { signal } = log;
  const hog = await fillGpu(signal);
  try {
    const { stored } = await runSweep({ backend, signal, ...OOM_SWEEP }, async (sweep) => {
      await untilTrials(sweep, (all) => all.some(({ attempts }) => attempts > 1));
      hog.stdin?.end();
    });
    const { outOfMemory } = checkOnce(stored, OOM_PACK);
    if (outOfMemory === 0) throw new Error('no attempt ran out of memory');
    return `${OOM_PACK} trials succeeded exactly once after ${outOfMemory} attempts had run out of memory`;
  } finally {
    hog.kill('SIGKILL');
  }
}

/** Starts fill-gpu, and resolves when the memory is full. */
async function fillGpu(signal: AbortSignal): Promise<ChildProcess> {
  const hog = spawn(process.execPath, [siblingProgram('fill-gpu'), `${LEFT_MIB}`], {
    stdio: ['pipe', 'pipe', 'ignore'],
    signal,
  });
  hog.on('error', () => {});
  for await (const line of createInterface({ input: hog.stdout })) if (line === 'full') return hog;
  throw new Error('the memory of the GPU could not be filled');
}

async function runTests(log: StepLog, backend: BackendName, small: boolean): Promise<string> {
  await requireBackend(backend);
  const require = createRequire(join(packageRoot(), 'package.json'));
  const vitest = join(dirname(require.resolve('vitest/package.json')), 'vitest.mjs');
  const which = small ? 'agent/trainers/autoencoder/images.test.ts' : 'agent/trainers/autoencoder';
  const { code, output } = await runProgram(log, process.execPath, [vitest, 'run', which], {
    env: { TRAWL_BACKEND: backend, NO_COLOR: '1' },
  });
  const summary = output.find((line) => /^\s*Tests\s/.test(line))?.trim();
  if (code !== 0) throw new Error(summary ?? output.at(-1) ?? 'vitest failed');
  return summary ?? 'all tests passed';
}

interface ProgramOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program, adds its output to the log, and kills it when the time limit is exceeded. */
async function runProgram(log: StepLog, program: string, args: readonly string[], { input, env }: ProgramOptions = {}) {
  const child = spawn(program, [...args], {
    ...{ cwd: packageRoot(), env: { ...process.env, ...env }, stdio: ['pipe', 'pipe', 'pipe'] },
    signal: log.signal,
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const output: string[] = [];
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      output.push(error.message);
      resolve(null);
    });
    child.once('close', resolve);
  });
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (line.trim() === '') return;
      output.push(line);
      log.line(line);
    });
  }
  return { code: await ended, output };
}

/** Returns the path of a program in this folder. */
function siblingProgram(name: string): string {
  return fileURLToPath(new URL(`./${name}.js`, import.meta.url));
}
