/**
 * Tests a worker of the current version that is started by an agent of an older version. This happens if the program
 * files are upgraded while the agent runs.
 */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Assignment, FromWorker, WorkerSetup } from '../../agent/worker/ipc.ts';
import { packageRoot } from '../../bin/package.ts';
import { testFolder } from '../support/folder.ts';

/** Runs an attempt in a worker, and returns the kinds of the worker's messages. */
async function messagesOf(accepted: Pick<WorkerSetup, 'acceptsStarted'>): Promise<string[]> {
  const folder = testFolder();
  const setup: WorkerSetup = {
    dataDir: folder,
    workdir: folder,
    marker: 'test',
    requireGpu: false,
    cores: 1,
    slots: 1,
    gpus: 0,
    gpuSharedBy: 1,
    pack: 1,
    ...accepted,
  };
  const worker = fork(join(packageRoot(), 'dist', 'bundle', 'worker', 'main.js'), [JSON.stringify(setup)], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...process.env, TRAWL_BACKEND: 'wasm' },
  });
  onTestFinished(() => {
    worker.kill('SIGKILL');
  });
  const assignment: Assignment = {
    trainer: 'noop',
    parameters: { epochs: 1, duration_ms: 0 },
    seed: 1,
    key: { sweepId: '1', trialId: 't', attempt: 1 },
    command: [],
    program: undefined,
    code: undefined,
    checkpointEvery: 0,
    reconstructEvery: 0,
    resume: undefined,
    folder: join(folder, 'attempt'),
  };
  const kinds: string[] = [];
  await new Promise<void>((resolve) => {
    // Several messages can arrive at once, so `once` would miss some of them.
    worker.on('message', (message: FromWorker) => {
      kinds.push(message.kind);
      if (message.kind === 'ready') worker.send({ kind: 'run', assignments: [assignment] });
      if (message.kind === 'done' || message.kind === 'unfit') resolve();
    });
  });
  return kinds;
}

test('a worker reports the start of an attempt only to an agent that accepts this message', async () => {
  expect(await messagesOf({ acceptsStarted: true })).toEqual(['ready', 'started', 'report', 'done']);
  expect(await messagesOf({})).toEqual(['ready', 'report', 'done']);
});
