/** Tests `Program` with real processes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { USER_UMASK } from '../../../lib/files/private-files.ts';
import { fixtureCommand } from '../../../test/support/run-fixture.ts';
import { Guard } from './guard.ts';
import { loadPosixSpawn } from './posix-spawn.ts';
import { Program } from './program.ts';

const start = (script: string, ...args: string[]) =>
  new Program({
    command: ['/bin/sh', '-c', script, 'sh', ...args],
    workdir: process.cwd(),
    environment: process.env,
    graceS: 1,
    marker: '',
  });

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

/** Reads the process ids that a program prints on its first line. */
async function pidsFrom(stream: NodeJS.ReadableStream): Promise<number[]> {
  const [line] = (await once(stream, 'data')) as [string | Buffer];
  return `${line}`.trim().split(' ').map(Number);
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

async function waitForEnd(pids: readonly number[]): Promise<void> {
  for (let polls = 0; pids.some(isAlive); polls++) {
    if (polls > 400) throw new Error(`processes ${pids.filter(isAlive)} are still alive`);
    await sleep(50);
  }
}

test('arguments arrive unchanged, stdin is empty, and the exit code is reported', async () => {
  const odd = ['', ' ', 'a b', '"', "'", '$HOME', '`id`', '\n', '*', '-n', '--', '\\', 'é'];
  const program = start('cat; for each; do printf "%s|" "$each"; done; echo sad >&2; exit 3', ...odd);
  const [out, errors, exit] = await Promise.all([textOf(program.stdout), textOf(program.stderr), program.exited]);
  expect(out).toBe(`${odd.join('|')}|`);
  expect(errors).toBe('sad\n');
  expect(exit).toEqual({ code: 3, signal: null });
});

test("a program has the user's umask, even if the worker has the umask for private files", async () => {
  const before = process.umask(0o077);
  process.env[USER_UMASK] = '27';
  try {
    expect(await textOf(start('umask').stdout)).toBe('0027\n');
  } finally {
    process.umask(before);
    delete process.env[USER_UMASK];
  }
});

test('a program runs in its folder with its environment variables, and inherits only stdin, stdout and stderr', async () => {
  const program = new Program({
    command: ['/bin/sh', '-c', 'pwd; echo "$WHO"; (: >&3) 2>/dev/null && echo open; exit 0'],
    workdir: '/',
    environment: { WHO: 'me' },
    graceS: 1,
    marker: '',
  });
  expect(await textOf(program.stdout)).toBe('/\nme\n');
  expect(await program.exited).toEqual({ code: 0, signal: null });
});

test('a stop reaches the whole process group, and a program that handles SIGTERM chooses its exit code', async () => {
  const program = start('trap "echo bye; exit 5" TERM; sleep 60 & echo $$ $!; wait');
  const pids = await pidsFrom(program.stdout);
  program.stop();
  expect(await program.exited).toEqual({ code: 5, signal: null });
  await waitForEnd(pids);
});

test('a program that ignores SIGTERM is killed with its children after the grace period', async () => {
  const program = start('trap "" TERM; sleep 60 & echo $$ $!; while :; do wait; done');
  const pids = await pidsFrom(program.stdout);
  program.stop();
  program.stop();
  expect(await program.exited).toEqual({ code: null, signal: 'SIGKILL' });
  await waitForEnd(pids);
});

test('child processes that are still running when a program exits are killed', async () => {
  const program = start('sleep 60 & echo $$ $!');
  const pids = await pidsFrom(program.stdout);
  expect(await program.exited).toEqual({ code: 0, signal: null });
  await waitForEnd(pids);
});

const isLinux = process.platform === 'linux';

test.skipIf(!isLinux)('processes in their own sessions end when the program ends or is stopped', async () => {
  const script = 'setsid sleep 60 & (setsid sh -c "trap : TERM; sleep 60 & wait; wait; sleep 60" &) ; sleep 0.3; pgrep';
  const list = `${script.replace('; pgrep', '')}; echo $$ $(grep -lsF "TRAWL_PROCESSES=$TRAWL_PROCESSES" /proc/[0-9]*/environ | cut -d/ -f3)`;
  const ended = start(list);
  const left = await pidsFrom(ended.stdout);
  expect(left.length).toBeGreaterThanOrEqual(4);
  expect(await ended.exited).toEqual({ code: 0, signal: null });
  await waitForEnd(left);
  const stopped = start(`${list}; sleep 60`);
  const pids = await pidsFrom(stopped.stdout);
  stopped.stop();
  await stopped.exited;
  await waitForEnd(pids);
});

test.skipIf(!isLinux)(
  'after a program has ended, its attempt waits only briefly for a process in another session that ignores SIGTERM',
  async () => {
    const program = new Program({
      command: ['/bin/sh', '-c', `setsid sh -c 'trap "" TERM; echo $$; sleep 60 >/dev/null' & sleep 0.3`],
      workdir: '/tmp',
      environment: { PATH: process.env.PATH },
      graceS: 60,
      marker: '',
    });
    const pids = await pidsFrom(program.stdout);
    expect(await program.exited).toEqual({ code: 0, signal: null });
    await waitForEnd(pids);
  },
);

test.each([
  ['with a child in its own session', 'setsid sleep 60 & child=$!; sleep 0.3; echo $$ $child; wait'],
  ['that handles SIGTERM', 'sleep 60 & echo $$ $!; wait'],
  ['that ignores SIGTERM', 'trap "" TERM; sleep 60 & echo $$ $!; while :; do wait; done'],
])('when the worker is killed by SIGKILL, a program %s and its children end', async (_, script) => {
  const fixture = new URL('./program.fixture.ts', import.meta.url);
  const worker = spawn(process.execPath, fixtureCommand(fixture, '/bin/sh', '-c', script), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pids = await pidsFrom(worker.stdout);
  expect(pids.every(isAlive)).toBe(true);
  worker.kill('SIGKILL');
  await waitForEnd(pids);
});

test.skipIf(!isLinux)(
  'when the worker is killed before its guard knows the process group, the program and its child processes end',
  async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'trawl-')), 'pids');
    // The first child has no marker, and the second one has its own session.
    const script = `env -i sleep 60 & a=$!; setsid sleep 60 & b=$!; sleep 0.3; echo $$ $a $b >"$1.new"; mv "$1.new" "$1"; wait`;
    const fixture = new URL('./guard.fixture.ts', import.meta.url);
    const worker = spawn(process.execPath, fixtureCommand(fixture, file, '/bin/sh', '-c', script, 'sh', file), {
      stdio: 'inherit',
    });
    expect(await once(worker, 'exit')).toEqual([null, 'SIGKILL']);
    const pids = readFileSync(file, 'utf8').trim().split(' ').map(Number);
    expect(pids).toHaveLength(3);
    await waitForEnd(pids);
  },
);

test('a search that blocks does not prevent the guard from killing the process group', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trawl-'));
  // The guard searches with grep, so the search blocks with this grep.
  writeFileSync(join(folder, 'grep'), '#!/bin/sh\nexec sleep 30\n', { mode: 0o755 });
  const fixture = new URL('./program.fixture.ts', import.meta.url);
  const script = 'trap "" TERM; sleep 60 & echo $$ $!; while :; do wait; done';
  const worker = spawn(process.execPath, fixtureCommand(fixture, '/bin/sh', '-c', script), {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PATH: `${folder}:${process.env.PATH}` },
  });
  const pids = await pidsFrom(worker.stdout);
  worker.kill('SIGKILL');
  await waitForEnd(pids);
});

/** Returns the ids of the guards that a process has started. */
function guards(worker = process.pid): number[] {
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return ids.flatMap((id) => {
    try {
      const isChild = new RegExp(`^PPid:\\s*${worker}$`, 'm').test(readFileSync(`/proc/${id}/status`, 'utf8'));
      return isChild && readFileSync(`/proc/${id}/cmdline`, 'utf8').includes('trawl-guard') ? [Number(id)] : [];
    } catch {
      return [];
    }
  });
}

test.skipIf(!isLinux)('consecutive programs share one guard, and a guard that was killed is replaced', async () => {
  await start('exit 0').exited;
  const before = guards();
  await start('exit 0').exited;
  expect(guards()).toEqual(before);
  for (const guard of before) process.kill(guard, 'SIGKILL');
  await waitForEnd(before);
  await sleep(50);
  const program = start('sleep 60');
  expect(guards()).toHaveLength(1);
  program.stop();
  await program.exited;
});

test.skipIf(!isLinux)('a guard that is killed while it guards a program is replaced', async () => {
  const fixture = new URL('./program.fixture.ts', import.meta.url);
  // The second child has its own session and is found by the marker.
  const script = 'sleep 60 & a=$!; setsid sleep 60 & b=$!; sleep 0.3; echo $$ $a $b; wait';
  const worker = spawn(process.execPath, fixtureCommand(fixture, '/bin/sh', '-c', script), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pids = await pidsFrom(worker.stdout);
  const [killed = 0] = guards(worker.pid);
  process.kill(killed, 'SIGKILL');
  await waitForEnd([killed]);
  for (let polls = 0; guards(worker.pid).length === 0 && polls < 100; polls++) await sleep(50);
  expect(guards(worker.pid)).toHaveLength(1);
  worker.kill('SIGKILL');
  await waitForEnd(pids);
});

test('a script whose first line names no interpreter runs in a shell', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'trawl-')), 'script');
  writeFileSync(file, 'echo $1 $PWD\n', { mode: 0o755 });
  const program = new Program({
    command: [file, 'hello'],
    workdir: '/',
    environment: { PWD: '/tmp' },
    graceS: 1,
    marker: '',
  });
  expect(await textOf(program.stdout)).toBe('hello /\n');
});

test('a program that cannot be executed fails with the error of the system', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'trawl-')), 'script');
  writeFileSync(file, '#!/no/such/interpreter\n', { mode: 0o755 });
  const program = new Program({ command: [file], workdir: '/', environment: {}, graceS: 1, marker: '' });
  await expect(program.exited).rejects.toThrow(/ENOENT/);
});

test('a program that waits for its release starts after its guard knows the process group', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'trawl-')), 'started');
  const setGroup = Guard.prototype.setGroup;
  let isEarly: boolean | undefined;
  Guard.prototype.setGroup = function (id) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
    isEarly = existsSync(file);
    setGroup.call(this, id);
  };
  try {
    const script = ': >"$0"; echo "$1"; (: >&3) 2>/dev/null && echo open; exit 3';
    const program = new Program({
      command: ['/bin/sh', '-c', script, file, ' a "b'],
      workdir: process.cwd(),
      environment: process.env,
      graceS: 1,
      marker: '',
      waitsForRelease: true,
    });
    expect(await textOf(program.stdout)).toBe(' a "b\n');
    expect(await program.exited).toEqual({ code: 3, signal: null });
    expect([isEarly, existsSync(file)]).toEqual([false, true]);
  } finally {
    Guard.prototype.setGroup = setGroup;
  }
});

test.each([
  ['the first program', []],
  ['a later program', ['later']],
])(
  'if no file descriptors are left, %s fails with the error of the system, and the next program runs',
  async (_, args) => {
    const fixture = new URL('./descriptors.fixture.ts', import.meta.url);
    const limited = ['-c', 'ulimit -n 200; exec "$@"', 'sh', process.execPath, ...fixtureCommand(fixture), ...args];
    const worker = spawn('/bin/sh', limited, { stdio: ['ignore', 'pipe', 'inherit'] });
    // The next program starts with posix_spawn, if it can be used. Its output is then a pipe.
    const output = loadPosixSpawn().spawn === undefined ? 'socket' : 'pipe';
    expect(await textOf(worker.stdout)).toMatch(new RegExp(`^spawn \\S*sh EMFILE\\n0\\n${output}:`));
  },
);

test('a program that has closed its output is waited for', async () => {
  const fixture = new URL('./closed-output.fixture.ts', import.meta.url);
  const worker = spawn(process.execPath, fixtureCommand(fixture), { stdio: ['ignore', 'pipe', 'inherit'] });
  expect(await textOf(worker.stdout)).toBe('4\n');
});

test('a NUL in an argument is an error', () => {
  expect(() => start('echo', 'a\0b')).toThrow(/null bytes/);
});
