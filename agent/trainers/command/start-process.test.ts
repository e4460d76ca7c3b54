/** Tests that Node's `spawn` and `posix_spawn` start programs in the same way. */
import { type SpawnOptions, spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { loadPosixSpawn } from './posix-spawn.ts';
import { type Spawns, startProcess } from './start-process.ts';

const withPosix: Spawns = { node: spawn, posix: loadPosixSpawn().spawn };
const ways = new Map<string, Spawns>([['Node', { node: spawn, posix: undefined }]]);
if (withPosix.posix !== undefined) ways.set('posix_spawn', withPosix);

const isSupported = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

/** The version of glibc; undefined with another C library. */
function glibcVersion(): string | undefined {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime;
}

// glibc 2.28 and earlier cannot set the folder of the process.
const isOldGlibc = /^2\.([01]?\d|2[0-8])$/.test(glibcVersion() ?? '');

test.runIf(isSupported && !isOldGlibc)('posix_spawn can be used on Linux', () => {
  expect(withPosix.posix).toBeDefined();
});

async function textOf(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream.setEncoding('utf8')) text += String(chunk);
  return text;
}

/** Runs a command to its end. */
async function outcome(spawns: Spawns, command: readonly string[], cwd = '/', env: NodeJS.ProcessEnv = {}) {
  const { stdout, stderr, exit } = startProcess({ command, cwd, env, waitsForRelease: false }, spawns);
  const [out, errors, end] = await Promise.all([
    textOf(stdout),
    textOf(stderr),
    exit.catch(({ code }: { code: string }) => code),
  ]);
  return { out, errors, end };
}

const sh = (script: string, ...args: string[]) => ['/bin/sh', '-c', script, 'sh', ...args];

test.each([...ways])('with %s, arguments and variables arrive unchanged', async (_, spawns) => {
  const odd = ['', ' ', 'a b', '"', "'", '$HOME', '\n', '*', '--', '\\', 'é', '漢字', '😀'];
  const script = 'for each; do printf "%s|" "$each"; done; printf %s "$ODD"; echo sad >&2; exit 3';
  const env = { ODD: 'a=b\n😀', UNDEFINED: undefined };
  expect(await outcome(spawns, sh(script, ...odd), '/', env)).toEqual({
    out: `${odd.join('|')}|a=b\n😀`,
    errors: 'sad\n',
    end: { code: 3, signal: null },
  });
  expect((await outcome(spawns, ['/usr/bin/env'], '/', env)).out).toBe('ODD=a=b\n😀\n');
});

test.each([...ways])('with %s, an environment of a megabyte arrives whole', async (_, spawns) => {
  const env = Object.fromEntries(Array.from({ length: 16 }, (_, at) => [`V${at}`, `${'é'.repeat(32_000)}${at}`]));
  const { out } = await outcome(spawns, ['/usr/bin/env'], '/', env);
  expect(out.trim().split('\n').sort()).toEqual(
    Object.entries(env)
      .map(([name, value]) => `${name}=${value}`)
      .sort(),
  );
});

test.each([...ways])(
  'with %s, a program runs in its folder and in a session of its own, without input',
  async (_, spawns) => {
    const folder = mkdtempSync(join(tmpdir(), 'trawl-'));
    const script = 'pwd; cat; (: >&3) 2>/dev/null && echo open; ps -o sid= -p $$ | tr -d " "; echo $$';
    const { out, end } = await outcome(spawns, sh(script), folder, { PATH: process.env.PATH });
    const [pwd, session, pid, rest] = out.split('\n');
    expect({ pwd, rest, end }).toEqual({ pwd: folder, rest: '', end: { code: 0, signal: null } });
    expect(session).toBe(pid);
  },
);

test.runIf(isSupported).each([...ways])('with %s, no signal is blocked or ignored in a program', async (_, spawns) => {
  // Node itself ignores SIGPIPE. A program that inherits this would not end when its reader has ended.
  const { out } = await outcome(spawns, ['/bin/grep', '-E', '^Sig(Blk|Ign)', '/proc/self/status']);
  expect(out).toBe('SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n');
});

test.each([...ways])('with %s, the signal that killed a program is reported', async (_, spawns) => {
  for (const signal of ['TERM', 'KILL', 'PIPE', 'SEGV']) {
    const { end } = await outcome(spawns, sh(`ulimit -c 0; kill -${signal} $$`));
    expect(end).toEqual({ code: null, signal: `SIG${signal}` });
  }
});

test.each([...ways])(
  'with %s, the exits of many programs that end at the same time are reported',
  async (_, spawns) => {
    const ends = await Promise.all(
      Array.from({ length: 40 }, async (_, at) => (await outcome(spawns, sh(`sleep 0.2; exit ${at}`))).end),
    );
    expect(ends).toEqual(ends.map((_, code) => ({ code, signal: null })));
  },
);

test.each([...ways])('with %s, a program that cannot be executed is an error with a code', async (_, spawns) => {
  const file = join(mkdtempSync(join(tmpdir(), 'trawl-')), 'script');
  expect(await outcome(spawns, [file])).toEqual({ out: '', errors: '', end: 'ENOENT' });
  expect(await outcome(spawns, ['/bin/true'], file)).toEqual({ out: '', errors: '', end: 'ENOENT' });
  writeFileSync(file, '#!/missing/interpreter\n', { mode: 0o755 });
  expect(await outcome(spawns, [file])).toEqual({ out: '', errors: '', end: 'ENOENT' });
  writeFileSync(`${file}.data`, 'text\n', { mode: 0o644 });
  expect(await outcome(spawns, [`${file}.data`])).toEqual({ out: '', errors: '', end: 'EACCES' });
});

test.each([...ways])('with %s, a file that the system cannot execute is run by a shell', async (_, { posix }) => {
  const file = join(mkdtempSync(join(tmpdir(), 'trawl-')), 'script');
  writeFileSync(file, 'echo "$0 $1"\n', { mode: 0o755 });
  // With glibc, the real `spawn` starts a shell for such a file by itself.
  const spawnLikeMusl = ((program: string, args: string[], options: SpawnOptions) => {
    if (program === file) throw Object.assign(new Error('spawn ENOEXEC'), { code: 'ENOEXEC' });
    return spawn(program, args, options);
  }) as typeof spawn;
  const { out, end } = await outcome({ node: spawnLikeMusl, posix }, [file, 'hello']);
  expect({ out, end }).toEqual({ out: `${file} hello\n`, end: { code: 0, signal: null } });
});

test.each([...ways])('with %s, a NUL in an argument or a variable is an error', (_, spawns) => {
  const start = (command: readonly string[], env: NodeJS.ProcessEnv) => () =>
    startProcess({ command, cwd: '/', env, waitsForRelease: false }, spawns);
  expect(start(['/bin/echo', 'a\0b'], {})).toThrow(/null bytes/);
  expect(start(['/bin/echo'], { NAME: 'a\0b' })).toThrow(/null bytes/);
});
