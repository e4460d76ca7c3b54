/**
 * Runs sweeps of the built-in trainer through `trawl up` with packs: undisturbed, with a killed worker, or with too
 * little memory.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { BackendName } from '../../agent/machine/backend.ts';
import type { TrialJson } from '../../bin/output/json.ts';
import { packageRoot } from '../../bin/package.ts';
import { childrenOf, descendantsOf, killNow } from '../../test/support/processes.ts';
import { readStore, type Stored } from '../../test/support/stored.ts';
import { lastErrorOf } from '../train/peer.ts';

const TRAWL = join(packageRoot(), 'bin', 'trawl.mjs');
const POLL_MS = 300;
/** If `trawl up` has not ended this many milliseconds after SIGTERM, all its processes are killed. */
const STOP_MS = 10_000;

export interface SweepOptions {
  readonly backend: BackendName;
  readonly trials: number;
  readonly epochs: number;
  readonly trainSize: number;
  readonly testSize: number;
  /** The value of `--pack`. */
  readonly pack: number | 'auto';
  readonly signal: AbortSignal;
}

export interface SweepResult {
  readonly seconds: number;
  readonly stored: Stored;
}

/** A running sweep. */
export interface LiveSweep {
  /** Aborted when the sweep has ended, or when the step exceeds its time limit. */
  readonly signal: AbortSignal;
  /** Returns the current trials. Returns none until the coordinator is running. */
  trials(): Promise<readonly TrialJson[]>;
  /** Kills the worker processes with SIGKILL, and returns how many were killed. */
  killWorkers(): number;
}

/** Returns a sweep file. Its trials have one of two latent dimensions, and one of two learning rates. */
function sweepText({ trials, epochs, trainSize, testSize }: SweepOptions): string {
  const seeds = Array.from({ length: Math.ceil(trials / 4) }, (_, seed) => seed);
  return `name: gpu-bench
trainer: autoencoder
parameters:
  depth: {value: 3}
  latent_dim: {values: [15, 30]}
  learning_rate: {values: [0.001, 0.002]}
  epochs: {value: ${epochs}}
  train_size: {value: ${trainSize}}
  test_size: {value: ${testSize}}
  seed: {values: [${seeds.join(', ')}]}
run_cap: ${trials}
retry: {oom: 20, crash: 2, backoff: 1s}
`;
}

/**
 * Runs a sweep to its end.
 * @param disturb called while the sweep runs
 * @throws {Error} if `trawl up` fails or `disturb` fails; for `trawl up`, with the last error in its output
 */
export async function runSweep(
  options: SweepOptions,
  disturb: (sweep: LiveSweep) => Promise<void> = async () => {},
): Promise<SweepResult> {
  const folder = mkdtempSync(join(tmpdir(), 'trawl-gpu-bench-'));
  const dir = join(folder, 'run');
  const file = join(folder, 'sweep.yaml');
  writeFileSync(file, sweepText(options));
  const onGpu = options.backend === 'tensorflow-gpu';
  const flags = ['--slots', '1', '--pack', `${options.pack}`, ...(onGpu ? ['--require-gpu'] : [])];
  const start = performance.now();
  const child = spawn(process.execPath, [TRAWL, 'up', file, '--dir', dir, '-o', 'json', ...flags], {
    env: { ...process.env, TRAWL_BACKEND: options.backend, NO_COLOR: '1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-2_000);
  });
  const stop = () => void stopChild(child);
  options.signal.addEventListener('abort', stop);
  const over = new AbortController();
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  try {
    const disturbed = disturb(liveSweep(child, dir, AbortSignal.any([options.signal, over.signal])));
    const code = await Promise.race([ended, disturbed.then(() => ended)]);
    over.abort(new Error('the sweep ended before it was disturbed'));
    const seconds = (performance.now() - start) / 1000;
    if (code === 0) await disturbed;
    else disturbed.catch(() => {});
    if (code !== 0) throw new Error(`trawl up ended with code ${code}: ${lastErrorOf(errors)}`);
    return { seconds, stored: readStore(dir) };
  } finally {
    over.abort();
    options.signal.removeEventListener('abort', stop);
    await stopChild(child);
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const limit = sleep(STOP_MS, undefined, { ref: false });
  await Promise.race([new Promise((resolve) => child.once('close', resolve)), limit]);
  if (child.exitCode === null && child.signalCode === null)
    for (const each of [...descendantsOf(pid), pid]) killNow(each);
}

function liveSweep(child: ChildProcess, dir: string, signal: AbortSignal): LiveSweep {
  const run = promisify(execFile);
  return {
    signal,
    async trials() {
      try {
        const { stdout } = await run(process.execPath, [TRAWL, 'trials', 'last', '--dir', dir, '-o', 'json']);
        return JSON.parse(stdout) as TrialJson[];
      } catch {
        return [];
      }
    },
    killWorkers() {
      const { pid } = child;
      const all = pid === undefined ? [] : descendantsOf(pid);
      const workers = all.flatMap((each) => childrenOf(each, (command) => command.includes('worker/main')));
      for (const worker of workers) killNow(worker);
      return workers.length;
    },
  };
}

/**
 * Waits until the trials of a running sweep satisfy a condition.
 * @throws {Error} the abort reason of `sweep.signal`, if it is aborted first
 */
export async function untilTrials(
  sweep: LiveSweep,
  condition: (trials: readonly TrialJson[]) => boolean,
): Promise<void> {
  for (;;) {
    sweep.signal.throwIfAborted();
    const trials = await sweep.trials();
    if (condition(trials)) return;
    await sleep(POLL_MS);
  }
}

/**
 * Checks that every trial of a sweep succeeded exactly once.
 * @returns the number of attempts, the number of attempts that crashed, and the number that ran out of memory
 * @throws {Error} if the sweep does not have `expected` trials, or if a trial did not succeed exactly once
 */
export function checkOnce({ trials, attempts }: Stored, expected: number) {
  if (trials.length !== expected) throw new Error(`the sweep has ${trials.length} trials, expected ${expected}`);
  for (const { id, state } of trials) {
    const successes = attempts.filter(({ trial, outcome }) => trial === id && outcome === 'succeeded').length;
    if (state !== 'succeeded' || successes !== 1)
      throw new Error(`trial ${id} is ${state} and has ${successes} successful attempts, expected "succeeded" and 1`);
  }
  const failed = (wanted: string) => attempts.filter(({ failureClass }) => failureClass === wanted).length;
  return { attempts: attempts.length, crashes: failed('crash'), outOfMemory: failed('oom') };
}
