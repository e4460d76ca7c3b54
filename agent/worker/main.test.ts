/** Tests of worker processes that load their backend on demand, and of the logs that workers send. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, onTestFinished, test, vi } from 'vitest';
import { TRAINERS, withDefaults } from '../../proto/trainers.ts';
import { FIXTURE_LIMIT_MS, fixtureCommand } from '../../test/support/run-fixture.ts';
import { defaultDataDir } from '../data/cache.ts';
import type { Assignment, FromWorker, ToWorker, WorkerSetup } from './ipc.ts';

const key = { sweepId: '1', trialId: 'trial', attempt: 1 };

function startWorker(environment: NodeJS.ProcessEnv, given: Partial<WorkerSetup> = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'trawl-worker-'));
  const setup: WorkerSetup = {
    ...{
      dataDir: defaultDataDir(process.env),
      workdir: folder,
      marker: 'test.',
      requireGpu: false,
      cores: 1,
      slots: 2,
      gpus: 0,
    },
    ...{ gpuSharedBy: 1, pack: 1, acceptsStarted: true, loadsOnDemand: true, ...given },
  };
  const child = spawn(process.execPath, fixtureCommand(new URL('./main.ts', import.meta.url), JSON.stringify(setup)), {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    serialization: 'advanced',
    env: { ...process.env, ...environment },
  });
  const messages: FromWorker[] = [];
  child.on('message', (message: FromWorker) => messages.push(message));
  onTestFinished(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  return { child, messages, folder };
}

const assignment = (folder: string, trainer: string, parameters: Assignment['parameters']): Assignment => ({
  ...{ trainer, parameters, seed: 1, key, command: [], program: undefined, code: undefined },
  ...{ checkpointEvery: 0, reconstructEvery: 0, resume: undefined, folder: join(folder, 'attempt') },
});

function run(child: ChildProcess, ...assignments: Assignment[]): void {
  const message: ToWorker = { kind: 'run', assignments };
  child.send(message);
}

async function untilMessage({ child, messages }: ReturnType<typeof startWorker>, ...kinds: FromWorker['kind'][]) {
  while (!messages.some(({ kind }) => kinds.includes(kind))) await once(child, 'message');
}

test('a worker that loads its backend on demand trains', { timeout: FIXTURE_LIMIT_MS }, async () => {
  const worker = startWorker({});
  const { child, messages, folder } = worker;
  await untilMessage(worker, 'ready');
  const small = { dataset: 'mnist', epochs: 1, train_size: 64, test_size: 100 };
  const complete = withDefaults(TRAINERS.autoencoder, small) as Assignment['parameters'];
  run(child, assignment(folder, 'autoencoder', complete));
  await untilMessage(worker, 'done', 'failed');
  const kinds = messages.map(({ kind }) => kind);
  expect(kinds.slice(0, 2)).toEqual(['ready', 'started']);
  expect(kinds).toContain('report');
  expect(kinds.at(-1)).toBe('done');
});

test('an attempt that is stopped while the backend is loaded does not train', {
  timeout: FIXTURE_LIMIT_MS,
}, async () => {
  const worker = startWorker({});
  const { child, messages, folder } = worker;
  await untilMessage(worker, 'ready');
  run(child, assignment(folder, 'autoencoder', { dataset: 'mnist', epochs: 1_000 }));
  const stop: ToWorker = { kind: 'stop', key, keepFiles: false };
  child.send(stop);
  await untilMessage(worker, 'done', 'failed', 'stopped');
  expect(messages.map(({ kind }) => kind)).toEqual(['ready', 'started', 'stopped']);
});

const program = (folder: string, script: string, trialId = 'trial'): Assignment => ({
  ...assignment(folder, 'command', {}),
  key: { ...key, trialId },
  folder: join(folder, trialId),
  command: ['/bin/sh', '-c', script],
});

test('a worker that runs several programs at the same time sends the log of each attempt', {
  timeout: FIXTURE_LIMIT_MS,
}, async () => {
  const { child, messages, folder } = startWorker({}, { acceptsLogs: true });
  const trials = ['a', 'b', 'c'];
  const ends = () => messages.filter(({ kind }) => kind === 'done');
  for (const trial of trials)
    run(child, program(folder, `for i in 1 2 3; do echo ${trial}$i; sleep 0.05; done`, trial));
  while (ends().length < trials.length) await once(child, 'message');
  for (const trial of trials) {
    const own = messages.filter((message) => 'key' in message && message.key.trialId === trial);
    const text = own.map((message) => (message.kind === 'log' ? message.text : '')).join('');
    expect(text).toBe(`${trial}1\n${trial}2\n${trial}3\n`);
    expect(own.at(-1)?.kind).toBe('done');
  }
});

/** The memory of a worker while it waits is less than 100 MiB. */
const MAX_WORKER_KIB = 250 * 1024;

test('a worker does not read the output of a program faster than the supervisor takes it', {
  timeout: FIXTURE_LIMIT_MS,
}, async () => {
  const worker = startWorker({}, { acceptsLogs: true });
  const { child, messages, folder } = worker;
  await untilMessage(worker, 'ready');
  run(child, program(folder, 'yes "$(printf %0100d 0)"'));
  await untilMessage(worker, 'log');
  // While this process is blocked, it takes no messages.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4_000);
  const peakKiB = Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]);
  expect(peakKiB).toBeLessThan(MAX_WORKER_KIB);
  const stop: ToWorker = { kind: 'stop', key, keepFiles: false };
  child.send(stop);
  await untilMessage(worker, 'stopped');
  expect(messages.at(-1)?.kind).toBe('stopped');
});

test('for an agent that does not accept logs, a worker prints them', { timeout: FIXTURE_LIMIT_MS }, async () => {
  const worker = startWorker({});
  const { child, messages, folder } = worker;
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  run(child, program(folder, 'echo one'));
  await untilMessage(worker, 'done', 'failed');
  expect(messages.map(({ kind }) => kind)).toEqual(['ready', 'started', 'program', 'done']);
  await vi.waitFor(() => expect(output).toBe('one\n'));
});

test('a worker loads neither gRPC nor zod at its start, because each slot starts a worker', async () => {
  const { metafile } = await build({
    ...{ entryPoints: [fileURLToPath(new URL('./main.ts', import.meta.url))], outdir: 'worker', write: false },
    ...{ bundle: true, splitting: true, format: 'esm', platform: 'node', packages: 'external', metafile: true },
  });
  const packages = new Set<string>();
  const addPackagesOf = (output: string): void => {
    for (const { path, kind, external } of metafile.outputs[output]?.imports ?? []) {
      if (kind !== 'import-statement') continue;
      if (external === true) packages.add(path);
      else addPackagesOf(path);
    }
  };
  addPackagesOf('worker/main.js');
  expect([...packages]).toContain('csv-parse/sync');
  for (const name of ['@grpc/grpc-js', 'zod']) expect([...packages]).not.toContain(name);
});

// An invalid value of TRAWL_GPU_PACKS makes the load fail.
const BROKEN = { TRAWL_GPU_PACKS: 'none' };

test('an old worker exits if it cannot load its backend, before the attempt has started', {
  timeout: FIXTURE_LIMIT_MS,
}, async () => {
  const worker = startWorker(BROKEN, { maxLoadFailureAgeS: 0 });
  const { child, messages, folder } = worker;
  let output = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  await untilMessage(worker, 'ready');
  run(child, assignment(folder, 'autoencoder', { dataset: 'mnist' }));
  expect(await once(child, 'close')).toEqual([1, null]);
  expect(messages.map(({ kind }) => kind)).toEqual(['ready']);
  expect(output).toContain('TRAWL_GPU_PACKS is none');
});

test('if a young worker cannot load its backend, each attempt fails in preflight, and no-op trials still run', {
  timeout: FIXTURE_LIMIT_MS,
}, async () => {
  const worker = startWorker(BROKEN);
  const { child, messages, folder } = worker;
  await untilMessage(worker, 'ready');
  run(child, assignment(folder, 'autoencoder', { dataset: 'mnist' }));
  await untilMessage(worker, 'done', 'failed');
  run(child, assignment(folder, 'noop', { epochs: 1, duration_ms: 0 }));
  await untilMessage(worker, 'done');
  expect(messages.map(({ kind }) => kind)).toEqual(['ready', 'started', 'failed', 'started', 'report', 'done']);
  const message = expect.stringMatching(/^this agent cannot load its backend: TRAWL_GPU_PACKS is none/);
  expect(messages[2]).toMatchObject({ class: 'preflight', message });
});
