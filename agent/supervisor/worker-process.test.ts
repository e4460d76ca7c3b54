/** Uses real processes to test when the exit of a worker process is handled. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { afterClose } from './worker-process.ts';

/** Starts a shell with an IPC channel, which every worker process has. */
const start = (script: string) => spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });

test('the exit of a process is handled after its last output', async () => {
  const child = start('(sleep 0.2; echo last) & exit 3');
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const atClose = await new Promise((resolve) => {
    afterClose(child, (code, signal) => resolve({ code, signal, output }));
  });
  expect(atClose).toEqual({ code: 3, signal: null, output: 'last\n' });
});

test('the exit of a killed process is handled once, even if a child process keeps the output and the IPC channel open', async () => {
  const child = start('sleep 60 & echo $!; wait');
  const [pid] = (await once(child.stdout ?? child, 'data')) as [Buffer];
  let calls = 0;
  const handled = new Promise((resolve) => {
    afterClose(child, (...how) => {
      calls += 1;
      resolve(how);
    });
  });
  child.kill('SIGKILL');
  expect(await handled).toEqual([null, 'SIGKILL']);
  expect([child.stdout?.destroyed, child.stderr?.destroyed, child.connected]).toEqual([true, true, false]);
  process.kill(Number(pid), 'SIGKILL');
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(calls).toBe(1);
});

test('a process that cannot be started is handled like a process that has exited', async () => {
  const child = spawn('/no/such/program', { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  child.on('error', () => {});
  expect(await new Promise<unknown>((resolve) => afterClose(child, (...how) => resolve(how)))).toEqual([-2, null]);
});
