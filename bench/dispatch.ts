/**
 * Measures dispatch: the throughput of no-op trials through the real path (JetStream, gRPC, durable store, worker
 * processes), the CPU time and memory of each process, and the time that a trial spends in each stage.
 *
 *   npm run bench:dispatch -- [--trials 10000] [--slots 32] [--agents 1] [--trainer noop]
 *                             [--builds DIR,DIR] [--rounds 1] [--profile DIR]
 *
 * The slope is the CPU time per trial between the end of the first tenth of the trials and the end of the last trial.
 * It therefore excludes the start of the processes. With `--builds`, each round runs every build once, in alternating
 * order. Each DIR is the folder of a built checkout. `--profile` writes a CPU profile of the coordinator and of the
 * agents.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startNatsServer } from '../bin/local/nats-server.ts';
import { packageRoot } from '../bin/package.ts';
import { readCoordinatorFile } from '../lib/files/coordinator-file.ts';
import { readToken, tokenFile } from '../lib/files/token-file.ts';
import { childrenOf, cpuSeconds, peakBytes } from './process-figures.ts';

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '10000' },
    slots: { type: 'string', default: '32' },
    agents: { type: 'string', default: '1' },
    trainer: { type: 'string', default: 'noop' },
    builds: { type: 'string', default: packageRoot() },
    rounds: { type: 'string', default: '1' },
    profile: { type: 'string' },
  },
});
const trials = Number(values.trials);
const slots = Number(values.slots);
const agents = Number(values.agents);

/**
 * The shortest and longest time between two scrapes. A scrape costs the coordinator as much CPU time as many trials.
 */
const SCRAPE_MS = { min: 500, max: 20_000 };

interface Result {
  readonly seconds: number;
  /** The slope of each group of processes, in microseconds of CPU time per trial (see above). */
  readonly slope: ReadonlyMap<string, number>;
  readonly lines: readonly string[];
}

const metric = (text: string, name: string): number =>
  Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'm').exec(text)?.[1] ?? Number.NaN);

/** The processes of one cluster, which run from the folder of a build. */
class Cluster {
  readonly dir = mkdtempSync(join(tmpdir(), 'trawl-bench-'));
  readonly #trawl: string;
  readonly #children: ChildProcess[] = [];

  constructor(build: string) {
    this.#trawl = join(build, 'bin', 'trawl.mjs');
  }

  start(...args: string[]): ChildProcess {
    const profile = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${resolve(values.profile)}`];
    const child = spawn(process.execPath, [...profile, this.#trawl, ...args], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    this.#children.push(child);
    return child;
  }

  run(...args: string[]): Promise<string> {
    const child = spawn(process.execPath, [this.#trawl, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
    });
    return new Promise((resolve, reject) => {
      child.on('close', (code) =>
        code === 0 ? resolve(output) : reject(new Error(`trawl ${args[0]} exited with code ${code}`)),
      );
    });
  }

  async stop(): Promise<void> {
    // A profile is written at an orderly exit.
    if (values.profile !== undefined) {
      for (const child of this.#children.reverse()) {
        child.kill('SIGTERM');
        await new Promise((resolve) => child.once('exit', resolve));
      }
    }
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Returns the text of a sweep file with `trials` trials that do nothing. */
function sweepText(): string {
  const program = values.trainer === 'command' ? 'command: ["true"]\n' : '';
  return `trainer: ${values.trainer}\n${program}parameters:\n  a: {min: 1, max: ${trials}, step: 1}\n`;
}

async function measure(cluster: Cluster): Promise<Result> {
  const { dir } = cluster;
  const nats = await startNatsServer({ storeDir: join(dir, 'nats') });
  const quiet = ['--log-level', 'warn'];
  const coordinator = cluster.start(
    ...['coordinator', '--dir', join(dir, 'c'), '--nats', nats.url],
    ...['--listen', '127.0.0.1:0', '--metrics', '127.0.0.1:0', ...quiet],
  );
  let endpoints = readCoordinatorFile(join(dir, 'c'));
  while (endpoints === undefined) {
    await sleep(50);
    endpoints = readCoordinatorFile(join(dir, 'c'));
  }
  const { address, metrics } = endpoints;
  const authorization = `Bearer ${readToken(tokenFile(join(dir, 'c')))}`;
  const running = Array.from({ length: agents }, (_, i) =>
    cluster.start(
      ...['agent', '--dir', join(dir, `a${i}`), '--nats', nats.url, '--server', address],
      ...['--slots', `${slots}`, ...quiet],
    ),
  );
  const scrape = async () => (await fetch(`http://${metrics}/metrics`, { headers: { authorization } })).text();
  // The wait is long enough for all workers to load TensorFlow.js, so that the loading is not measured.
  while (metric(await scrape(), 'trawl_agents') !== agents) await sleep(200);
  await sleep(400 * Math.max(8, agents * slots));

  const sweep = join(dir, 'sweep.yaml');
  writeFileSync(sweep, sweepText());
  const groups = new Map<string, () => readonly (number | undefined)[]>([
    ['coordinator', () => [coordinator.pid]],
    ['agents', () => running.map(({ pid }) => pid)],
    ['workers', () => running.flatMap(({ pid }) => childrenOf(pid))],
    ['nats-server', () => [nats.pid]],
  ]);
  const used = () =>
    new Map([...groups].map(([name, pids]) => [name, pids().reduce<number>((sum, pid) => sum + cpuSeconds(pid), 0)]));
  const before = used();
  const begun = performance.now();
  await cluster.run('submit', sweep, '--server', address, '-q');
  const submitted = performance.now();
  let first: { readonly done: number; readonly cpu: ReadonlyMap<string, number> } | undefined;
  let text = '';
  let done = 0;
  while (done < trials) {
    // After the first tenth of the trials, waits for half of the estimated time until all have ended. An estimate from the
    // first few trials would be much too long.
    const waitMs = first === undefined ? 0 : ((trials - done) / 2) * ((performance.now() - submitted) / done);
    await sleep(Math.min(SCRAPE_MS.max, Math.max(SCRAPE_MS.min, waitMs)));
    text = await scrape();
    done = metric(text, 'trawl_trials_finished_total');
    if (first === undefined && done >= trials / 10) first = { done, cpu: used() };
  }
  const cpu = used();
  const seconds =
    metric(text, 'trawl_sweep_end_timestamp_seconds') - metric(text, 'trawl_sweep_start_timestamp_seconds');
  const mean = (family: string) => (metric(text, `${family}_sum`) / metric(text, `${family}_count`)) * 1000;
  const perTrial = (name: string, from: ReadonlyMap<string, number>, count: number) =>
    (((cpu.get(name) ?? 0) - (from.get(name) ?? 0)) / count) * 1e6;
  const slope = new Map(
    [...groups.keys()].map((name) => [name, perTrial(name, first?.cpu ?? before, trials - (first?.done ?? 0))]),
  );
  const lines = [
    `submit (start of the command to its end)   ${((submitted - begun) / 1000).toFixed(2)} s`,
    `start of the sweep to its end              ${seconds.toFixed(2)} s`,
    `trials per second                          ${Math.round(trials / seconds)}`,
    ...[...groups].map(([name, pids]) => {
      const peak = Math.round(pids().reduce<number>((sum, pid) => sum + peakBytes(pid), 0) / 2 ** 20);
      const whole = perTrial(name, before, trials).toFixed(0);
      return `${name.padEnd(12)} CPU ${whole} us per trial, slope ${slope.get(name)?.toFixed(0)} us, peak memory ${peak} MiB`;
    }),
    `offer to grant, mean                       ${mean('trawl_dispatch_latency_seconds').toFixed(2)} ms`,
    `grant to end, mean                         ${mean('trawl_trial_duration_seconds').toFixed(2)} ms`,
    `store: one transaction, mean               ${mean('trawl_store_commit_seconds').toFixed(2)} ms`,
    `store: transactions                        ${metric(text, 'trawl_store_commit_seconds_count')}`,
  ];
  await nats.stop();
  return { seconds, slope, lines };
}

const builds = values.builds.split(',').map((build) => resolve(build));
console.log(
  `machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
);
console.log(`${trials} ${values.trainer} trials, ${agents} agent(s) of ${slots} slots`);
for (let round = 0; round < Number(values.rounds); round++) {
  for (const build of round % 2 === 0 ? builds : builds.toReversed()) {
    const cluster = new Cluster(build);
    try {
      const { lines } = await measure(cluster);
      console.log(`\n${build}, round ${round + 1}\n${lines.join('\n')}`);
    } finally {
      await cluster.stop();
    }
  }
}
