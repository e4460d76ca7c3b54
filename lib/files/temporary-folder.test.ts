import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { processIdentity } from './process-identity.ts';
import { createTemporaryFolder } from './temporary-folder.ts';

const isLinux = process.platform === 'linux';

let temporary: string;
beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'trawl-test-'));
  vi.stubEnv('TMPDIR', temporary);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(temporary, { recursive: true, force: true });
});

test('a temporary folder is removed with its content', () => {
  const folder = createTemporaryFolder('work');
  writeFileSync(join(folder.path, 'file'), 'x');
  expect(readdirSync(temporary)).toHaveLength(1);
  folder.remove();
  expect(readdirSync(temporary)).toEqual([]);
});

/** Starts a process that creates a temporary folder and then runs until it is ended. */
async function startOwner(then = '') {
  const script = join(temporary, 'owner.mjs');
  await build({
    stdin: {
      contents: `import { createTemporaryFolder } from './temporary-folder.ts';
        const { path } = createTemporaryFolder('work');
        setInterval(() => {}, 1000);
        ${then}
        console.log(path);`,
      resolveDir: import.meta.dirname,
      loader: 'ts',
    },
    outfile: script,
    bundle: true,
    format: 'esm',
    platform: 'node',
  });
  const child = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const [path] = await once(child.stdout, 'data');
  return { child, exited, path: `${path}`.trim() };
}

test.each([
  ['SIGTERM', 'SIGTERM'],
  ['SIGHUP', 'SIGHUP'],
])('a temporary folder is removed when %s ends its process', async (signal, endedBy) => {
  const { child, exited, path } = await startOwner();
  expect(existsSync(path)).toBe(true);
  child.kill(signal as NodeJS.Signals);
  expect(await exited).toEqual([null, endedBy]);
  expect(existsSync(path)).toBe(false);
});

test('a temporary folder is removed when its process exits by itself', async () => {
  const { exited, path } = await startOwner('setTimeout(() => process.exit(3), 100);');
  expect(await exited).toEqual([3, null]);
  expect(existsSync(path)).toBe(false);
});

test('if a process handles a signal itself, its folder is kept until the process exits', async () => {
  const { child, exited, path } = await startOwner(
    "process.on('SIGTERM', () => setTimeout(() => process.exit(5), 300));",
  );
  child.kill('SIGTERM');
  await sleep(100);
  expect(existsSync(path)).toBe(true);
  expect(await exited).toEqual([5, null]);
  expect(existsSync(path)).toBe(false);
});

test.skipIf(!isLinux)('a later process removes the folder of a killed process, and keeps other folders', async () => {
  const killed = await startOwner();
  const running = await startOwner();
  killed.child.kill('SIGKILL');
  await killed.exited;
  const [boot, namespace] = processIdentity().split('.');
  const ended = `${boot}.${namespace}.${killed.child.pid}.1`;
  const others = [
    'trawl-work-AbCdEf',
    `trawl-work-${processIdentity()}-AbCdEf`,
    `trawl-work-00000000-0000-4000-8000-000000000000.${namespace}.${killed.child.pid}.1-AbCdEf`,
    `trawl-other-${ended}-AbCdEf`,
  ].map((name) => join(temporary, name));
  for (const path of others) mkdirSync(path);
  const file = join(temporary, `trawl-work-${ended}-file`);
  writeFileSync(file, '');
  expect(existsSync(killed.path)).toBe(true);
  createTemporaryFolder('work').remove();
  expect(existsSync(killed.path)).toBe(false);
  for (const path of [running.path, file, ...others]) expect(existsSync(path)).toBe(true);
  running.child.kill();
  await running.exited;
});

test.skipIf(!isLinux || process.geteuid?.() !== 0)('a folder of another user is not removed', () => {
  const [boot, namespace] = processIdentity().split('.');
  const path = join(temporary, `trawl-work-${boot}.${namespace}.4194305.1-AbCdEf`);
  mkdirSync(path);
  chownSync(path, 65_534, 65_534);
  createTemporaryFolder('work').remove();
  expect(existsSync(path)).toBe(true);
  chownSync(path, 0, 0);
  createTemporaryFolder('work').remove();
  expect(existsSync(path)).toBe(false);
});
