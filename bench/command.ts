/**
 * Measures the CPU time that a worker and its programs use for each trial of the trainer `command`. The worker runs the
 * trials one after another, without a coordinator. Needs Linux.
 *
 *   npm run bench:command -- [--trials 300] [--rounds 3] [--workers FILE,...]
 *
 * `--workers` compares builds of the worker, in turns: each FILE is a `dist/bundle/worker/main.js`.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from 'd3-array';
import { isWasmOnly } from '../agent/machine/native-packages.ts';
import type { Assignment, FromWorker, ToWorker, WorkerSetup } from '../agent/worker/ipc.ts';
import { TICKS_PER_SECOND } from './process-figures.ts';

/** This many trials run before the measurement, so that Node has compiled the worker's functions. */
const WARM_UP = 50;
const COMMAND = ['echo', '{"epoch": 1, "test_loss": 1}'];

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '300' },
    rounds: { type: 'string', default: '3' },
    workers: { type: 'string' },
  },
});
const trials = Number(values.trials);
const workers = values.workers?.split(',') ?? [fileURLToPath(new URL('../bundle/worker/main.js', import.meta.url))];

/** CPU times in milliseconds. `programs` is the total of all child processes of the worker that have ended. */
interface CpuTimes {
  readonly user: number;
  readonly system: number;
  readonly programs: number;
}

function cpuTimes(pid: number | undefined): CpuTimes {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const ms = (at: number) => (Number(fields[at]) * 1000) / TICKS_PER_SECOND;
  return { user: ms(11), system: ms(12), programs: ms(13) + ms(14) };
}

function assignmentOf(folder: string, at: number): Assignment {
  return {
    trainer: 'command',
    parameters: { point: at },
    seed: 1,
    key: { sweepId: 'bench', trialId: `${at}`, attempt: 1 },
    command: COMMAND,
    program: undefined,
    code: undefined,
    checkpointEvery: 0,
    reconstructEvery: 0,
    folder: join(folder, `${at}`),
    resume: undefined,
  };
}

function untilMessage(child: ChildProcess, kind: FromWorker['kind']): Promise<void> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: FromWorker) => {
      if (message.kind === kind) resolve();
      else if (message.kind === 'failed' || message.kind === 'unfit') reject(new Error(message.message));
      else return;
      child.off('message', onMessage);
    };
    child.on('message', onMessage);
  });
}

/** Returns the CPU times and the duration per trial, in milliseconds. */
async function measure(worker: string): Promise<CpuTimes & { readonly duration: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'trawl-bench-command-'));
  const setup: WorkerSetup = {
    dataDir: folder,
    workdir: folder,
    marker: `bench.${process.pid}.`,
    requireGpu: false,
    cores: 1,
    slots: 1,
    gpus: 0,
    gpuSharedBy: 1,
    pack: 1,
    loadsOnDemand: isWasmOnly({ gpus: 0, requireGpu: false }, process.env),
  };
  const child = fork(worker, [JSON.stringify(setup)], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  try {
    await untilMessage(child, 'ready');
    const run = async (at: number) => {
      const message: ToWorker = { kind: 'run', assignments: [assignmentOf(folder, at)] };
      const ended = untilMessage(child, 'done');
      child.send(message);
      await ended;
    };
    for (let at = 0; at < WARM_UP; at++) await run(at);
    const before = cpuTimes(child.pid);
    const begun = performance.now();
    for (let at = 0; at < trials; at++) await run(WARM_UP + at);
    const duration = (performance.now() - begun) / trials;
    const after = cpuTimes(child.pid);
    return {
      user: (after.user - before.user) / trials,
      system: (after.system - before.system) / trials,
      programs: (after.programs - before.programs) / trials,
      duration,
    };
  } finally {
    const exited = once(child, 'exit');
    child.disconnect();
    await exited;
    rmSync(folder, { recursive: true, force: true });
  }
}

const results = new Map(workers.map((worker) => [worker, [] as Awaited<ReturnType<typeof measure>>[]]));
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [worker, measured] of results) measured.push(await measure(worker));
}
console.log(
  `${trials} trials of ${COMMAND[0]}, medians of ${values.rounds} rounds; load ${loadavg()[0]?.toFixed(1)}\n`,
);
console.log('| worker | user, ms | system, ms | programs, ms | total CPU, ms | duration, ms |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const [worker, measured] of results) {
  const of = (read: (each: (typeof measured)[number]) => number) => (median(measured, read) ?? 0).toFixed(2);
  const total = of(({ user, system, programs }) => user + system + programs);
  const parts = [of(({ user }) => user), of(({ system }) => system), of(({ programs }) => programs)];
  console.log(`| ${worker} | ${parts.join(' | ')} | ${total} | ${of(({ duration }) => duration)} |`);
}
