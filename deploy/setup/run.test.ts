import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { runAttached, runQuietly } from './run.mjs';

const node = process.execPath;
const module = pathToFileURL(resolve(import.meta.dirname, 'run.mjs')).href;

/** Starts a process that runs `code` with `runAttached`. The process has its own process group, as under a terminal. */
async function started(code: string): Promise<ChildProcess> {
  const outer = `import { runAttached } from ${JSON.stringify(module)};
    process.exitCode = await runAttached(process.execPath, ['-e', ${JSON.stringify(code)}]);`;
  const child = spawn(node, ['--input-type=module', '-e', outer], {
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout ?? child, 'data');
  return child;
}

const exitOn = (signal: string, code: number) =>
  `process.on('${signal}', () => setTimeout(() => process.exit(${code}), 200)); setInterval(() => {}, 1000); console.log('up');`;

test('the exit code of the child is returned', async () => {
  expect(await runAttached(node, ['-e', 'process.exit(7)'])).toBe(7);
  expect(await runAttached(node, ['-e', "process.kill(process.pid, 'SIGKILL')"])).toBe(137);
  await expect(runAttached(join('no', 'such', 'program'), [])).rejects.toThrow('ENOENT');
});

test('after SIGINT to the process group, the parent waits until the child ends', async () => {
  const outer = await started(exitOn('SIGINT', 130));
  process.kill(-(outer.pid ?? 0), 'SIGINT');
  expect(await once(outer, 'exit')).toEqual([130, null]);
});

test('a SIGTERM to the parent is forwarded to the child', async () => {
  const outer = await started(exitOn('SIGTERM', 5));
  outer.kill('SIGTERM');
  expect(await once(outer, 'exit')).toEqual([5, null]);
});

test.each([
  ['a command that exceeds its time limit', ['-e', 'setTimeout(() => {}, 60_000)'], 300, 'timed out after 0.3 s'],
  ['a command that another process ends', ['-e', 'process.kill(process.pid, "SIGTERM")'], 60_000, 'SIGTERM'],
])('%s fails with the reason', async (_, args, limitMs, reason) => {
  await expect(runQuietly(process.execPath, args, { limitMs })).rejects.toThrow(`failed (${reason})`);
});
