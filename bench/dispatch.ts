/**
 * Measures dispatch: the throughput of no-op trials through the real path (JetStream, gRPC, durable store, worker
 * processes), the CPU time and memory of each process, and the time that a trial spends in each stage.
 *
 *   npm run bench:dispatch -- [--trials 10000] [--slots 32] [--agents 1]
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startNatsServer } from '../bin/local/nats-server.ts';
import { packageRoot } from '../bin/package.ts';
import { readCoordinatorFile } from '../lib/files/coordinator-file.ts';
import { readToken, tokenFile } from '../lib/files/token-file.ts';
import { cpuSeconds, peakBytes } from './process-figures.ts';

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '10000' },
    slots: { type: 'string', default: '32' },
    agents: { type: 'string', default: '1' },
  },
});
const trials = Number(values.trials);
const slots = Number(values.slots);
const agents = Number(values.agents);

const trawl = join(packageRoot(), 'bin', 'trawl.mjs');
const dir = mkdtempSync(join(tmpdir(), 'trawl-bench-'));
const children: ChildProcess[] = [];

function start(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [trawl, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  children.push(child);
  return child;
}

function run(...args: string[]): Promise<string> {
  const child = spawn(process.execPath, [trawl, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
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

const metric = (text: string, name: string): number =>
  Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'm').exec(text)?.[1] ?? Number.NaN);

async function bench(): Promise<void> {
  const nats = await startNatsServer({ storeDir: join(dir, 'nats') });
  const quiet = ['--log-level', 'warn'];
  const coordinator = start(
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
    start(
      ...['agent', '--dir', join(dir, `a${i}`), '--nats', nats.url, '--server', address],
      ...['--slots', `${slots}`, ...quiet],
    ),
  );
  const scrape = async () => (await fetch(`http://${metrics}/metrics`, { headers: { authorization } })).text();
  // Waits until every worker is ready, so that the time for loading TensorFlow.js is not measured.
  while (metric(await scrape(), 'trawl_agents') !== agents) await sleep(200);
  await sleep(400 * Math.max(8, agents * slots));

  const sweep = join(dir, 'sweep.yaml');
  writeFileSync(sweep, `trainer: noop\nparameters:\n  a: {min: 1, max: ${trials}, step: 1}\n`);
  const pids = { coordinator: coordinator.pid, agent: running[0]?.pid, 'nats-server': nats.pid } as const;
  const before = Object.entries(pids).map(([name, pid]) => [name, cpuSeconds(pid)] as const);
  const begun = performance.now();
  await run('submit', sweep, '--server', address, '-q');
  const submitted = performance.now();
  let done = 0;
  while (done < trials) {
    await sleep(500);
    done = metric(await scrape(), 'trawl_trials_finished_total');
  }
  const seconds = (performance.now() - submitted) / 1000;
  const text = await scrape();
  const mean = (family: string) => (metric(text, `${family}_sum`) / metric(text, `${family}_count`)) * 1000;

  console.log(
    `machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
  );
  console.log(`${trials} noop trials, ${agents} agent(s) of ${slots} slots\n`);
  console.log(`submit (start of the command to its end)   ${((submitted - begun) / 1000).toFixed(2)} s`);
  console.log(`dispatch to the last trial's end           ${seconds.toFixed(2)} s`);
  console.log(`trials per second                          ${Math.round(trials / seconds)}`);
  for (const [name, cpu] of before) {
    const pid = pids[name as keyof typeof pids];
    const used = cpuSeconds(pid) - cpu;
    const perTrial = ((used / trials) * 1e6).toFixed(0);
    const peak = Math.round(peakBytes(pid) / 2 ** 20);
    console.log(`${name.padEnd(12)} CPU ${used.toFixed(2)} s (${perTrial} us per trial), peak memory ${peak} MiB`);
  }
  console.log(`offer to grant, mean                       ${mean('trawl_dispatch_latency_seconds').toFixed(2)} ms`);
  console.log(`grant to end, mean                         ${mean('trawl_trial_duration_seconds').toFixed(2)} ms`);
  console.log(`store: one transaction, mean               ${mean('trawl_store_commit_seconds').toFixed(2)} ms`);
  console.log(`store: transactions                        ${metric(text, 'trawl_store_commit_seconds_count')}`);
  await nats.stop();
}

try {
  await bench();
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(dir, { recursive: true, force: true });
}
