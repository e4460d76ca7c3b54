/** Uses real processes to test the search for marked processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { afterEach, expect, test, vi } from 'vitest';
import { MARKER, type Selection, StartedProgram, signalMarked, stateBefore } from './processes.ts';

/** The id of a process whose environment cannot be read, as happens with a process that hangs in the kernel. */
let hanging: number | undefined;
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  const readFile = (path: string) =>
    path === `/proc/${hanging}/environ` ? new Promise<Buffer>(() => {}) : real.readFile(path);
  return { ...real, readFile };
});

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** Starts a process that prints a line when it is ready. */
async function start(command: readonly [string, ...string[]], environment: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const [program, ...rest] = command;
  const child = spawn(program, rest, {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  started.push(child);
  if (child.stdout !== null) await once(child.stdout, 'data');
  return child;
}

const waiting = ['sh', '-c', 'echo ready; exec sleep 60'] as const;
const signalOf = async (child: ChildProcess) => child.signalCode ?? (await once(child, 'exit'))[1];

/** Selects the processes with this marker: all of them or, if `isLimited`, only those that start from now on. */
async function selectionOf(marker: string, isLimited: boolean): Promise<Selection> {
  const before = stateBefore();
  const accepts = (each: string) => each === marker;
  if (!isLimited) return { accepts };
  const earlier = await start(waiting, {});
  return { accepts, startedAfter: new StartedProgram(earlier.pid ?? 0, before) };
}

const newMarker = () => `test.${randomBytes(8).toString('hex')}`;

test.skipIf(process.platform !== 'linux')(
  'the newest id is known after a delay in which few processes were created',
  async () => {
    const before = stateBefore();
    const { pid = 0 } = await start(waiting, {});
    const delayed = (created: number | undefined, ms: number) =>
      new StartedProgram(pid, { atMs: performance.now() - ms, created }).newestId();
    // The number of created processes is read if all ids can be allocated within 250 ms.
    if (before.created === undefined) expect(delayed(undefined, 20)).toBeGreaterThanOrEqual(pid);
    else {
      expect(delayed(before.created, 500)).toBeGreaterThanOrEqual(pid);
      expect(delayed(undefined, 500)).toBeUndefined();
    }
  },
);

test.skipIf(process.platform !== 'linux').each([true, false])(
  'a process is found by its own marker, also in a large environment (only later processes: %s)',
  async (isLimited) => {
    const marker = newMarker();
    const selection = await selectionOf(marker, isLimited);
    const large = { A: 'a'.repeat(100_000), B: `${MARKER}=${marker}`, C: 'c'.repeat(100_000) };
    const other = await start(waiting, { ...large, [`X${MARKER}`]: marker, [MARKER]: `${marker}0` });
    expect(await signalMarked(selection, 'SIGKILL')).toBe(0);
    const own = await start(waiting, { ...large, [MARKER]: marker });
    expect(await signalMarked(selection, 'SIGKILL')).toBe(1);
    expect(await signalOf(own)).toBe('SIGKILL');
    expect(other.exitCode ?? other.signalCode).toBeNull();
  },
);

test.skipIf(process.platform !== 'linux')('a process with several threads gets one signal', async () => {
  const marker = newMarker();
  const selection = await selectionOf(marker, true);
  const script = `let signals = 0; process.on('SIGTERM', () => { signals += 1; setTimeout(() => process.exit(signals), 300); });
    console.log('ready'); setInterval(() => {}, 1_000);`;
  const child = await start([process.execPath, '-e', script], { [MARKER]: marker });
  expect(await signalMarked(selection, 'SIGTERM')).toBe(1);
  expect((await once(child, 'exit'))[0]).toBe(1);
});

test.skipIf(process.platform !== 'linux')(
  'a process whose environment cannot be read does not block a search',
  async () => {
    const marker = newMarker();
    const selection = await selectionOf(marker, false);
    const unreadable = await start(waiting, { [MARKER]: marker });
    const readable = await start(waiting, { [MARKER]: marker });
    hanging = unreadable.pid;
    const firstAndConcurrent = [signalMarked(selection, 'SIGCONT'), signalMarked(selection, 'SIGCONT')];
    expect(await Promise.all(firstAndConcurrent)).toEqual([1, 1]);
    expect(await signalMarked(selection, 'SIGKILL')).toBe(1);
    expect(await signalOf(readable)).toBe('SIGKILL');
    expect(unreadable.exitCode ?? unreadable.signalCode).toBeNull();
  },
);
