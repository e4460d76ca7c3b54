/** On real processes: what ends, and that nothing is left over. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Program } from './program.ts';

const start = (script: string, ...args: string[]) =>
  new Program({
    command: ['/bin/sh', '-c', script, 'sh', ...args],
    workdir: process.cwd(),
    environment: process.env,
    graceS: 1,
  });

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const piece of stream) text += String(piece);
  return text;
}

/** The first line that a program prints: here, ids of processes. */
async function pidsFrom(stream: NodeJS.ReadableStream): Promise<number[]> {
  const [line] = (await once(stream, 'data')) as [string | Buffer];
  return `${line}`.trim().split(' ').map(Number);
}

const lives = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function gone(pids: readonly number[]): Promise<void> {
  for (let looks = 0; pids.some(lives); looks++) {
    if (looks > 400) throw new Error(`processes ${pids.filter(lives)} still live`);
    await sleep(50);
  }
}

test('arguments arrive as they are, stdin is empty, and the exit is told', async () => {
  const odd = ['', ' ', 'a b', '"', "'", '$HOME', '`id`', '\n', '*', '-n', '--', '\\', 'é'];
  const program = start('cat; for each; do printf "%s|" "$each"; done; echo sad >&2; exit 3', ...odd);
  const [out, errors, exit] = await Promise.all([textOf(program.stdout), textOf(program.stderr), program.exited]);
  expect(out).toBe(`${odd.join('|')}|`);
  expect(errors).toBe('sad\n');
  expect(exit).toEqual({ code: 3, signal: null });
});

test('it runs in its folder with its variables, and no pipe of ours is open in it', async () => {
  const program = new Program({
    command: ['/bin/sh', '-c', 'pwd; echo "$WHO"; (: >&3) 2>/dev/null && echo open; exit 0'],
    workdir: '/',
    environment: { WHO: 'me' },
    graceS: 1,
  });
  expect(await textOf(program.stdout)).toBe('/\nme\n');
  expect(await program.exited).toEqual({ code: 0, signal: null });
});

test('a stop reaches the whole group, and a program that listens may end in its own way', async () => {
  const program = start('trap "echo bye; exit 5" TERM; sleep 60 & echo $$ $!; wait');
  const pids = await pidsFrom(program.stdout);
  program.stop();
  expect(await program.exited).toEqual({ code: 5, signal: null });
  await gone(pids);
});

test('what does not listen is killed after the grace, its children too', async () => {
  const program = start('trap "" TERM; sleep 60 & echo $$ $!; while :; do wait; done');
  const pids = await pidsFrom(program.stdout);
  program.stop();
  program.stop();
  expect(await program.exited).toEqual({ code: null, signal: 'SIGKILL' });
  await gone(pids);
});

test('what a program leaves behind ends with it', async () => {
  const program = start('sleep 60 & echo $$ $!');
  const pids = await pidsFrom(program.stdout);
  expect(await program.exited).toEqual({ code: 0, signal: null });
  await gone(pids);
});

test.each([
  ['that listens', 'sleep 60 & echo $$ $!; wait'],
  ['that does not listen', 'trap "" TERM; sleep 60 & echo $$ $!; while :; do wait; done'],
])('when the worker is killed by SIGKILL, a program %s ends, its children too', async (_, script) => {
  const require = createRequire(createRequire(import.meta.url).resolve('vitest/package.json'));
  const runner = join(dirname(require.resolve('vite-node/package.json')), 'vite-node.mjs');
  const fixture = join(import.meta.dirname, 'program.fixture.ts');
  const worker = spawn(process.execPath, [runner, fixture, '/bin/sh', '-c', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pids = await pidsFrom(worker.stdout);
  expect(pids.every(lives)).toBe(true);
  worker.kill('SIGKILL');
  await gone(pids);
});

test('a NUL in an argument is an error, and leaves no process', () => {
  expect(() => start('echo', 'a\0b')).toThrow(/null bytes/);
});
