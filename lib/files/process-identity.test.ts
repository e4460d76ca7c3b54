import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test, vi } from 'vitest';
import { hasEnded, isAlive, processIdentity } from './process-identity.ts';

const isLinux = process.platform === 'linux';

test('hasEnded returns false for the process that calls it', () => {
  expect(hasEnded(processIdentity())).toBe(false);
});

test.skipIf(!isLinux)('a killed process has ended, and so has a process whose id was reused', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
  const [boot, namespace] = processIdentity().split('.');
  const start = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19];
  const identity = `${boot}.${namespace}.${child.pid}.${start}`;
  expect(hasEnded(identity)).toBe(false);
  child.kill('SIGSTOP');
  expect(hasEnded(identity)).toBe(false);
  expect(hasEnded(`${boot}.${namespace}.${child.pid}.${Number(start) - 1}`)).toBe(true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(hasEnded(identity)).toBe(true);
});

test('hasEnded returns false for a process of another machine, of an earlier boot or of another container', () => {
  const [boot, namespace] = processIdentity().split('.');
  const other = '00000000-0000-4000-8000-000000000000';
  for (const identity of [`${other}.${namespace}.999999.1`, `${boot}.1.999999.1`, '999999', '', 'x']) {
    expect(hasEnded(identity)).toBe(false);
  }
});

test('a process of another user counts as alive, and a missing process does not', () => {
  onTestFinished(() => void vi.restoreAllMocks());
  const fail = (code: string) => {
    vi.spyOn(process, 'kill').mockImplementation(() => {
      throw Object.assign(new Error(code), { code });
    });
    return isAlive(1);
  };
  expect(isAlive(process.pid)).toBe(true);
  expect(fail('EPERM')).toBe(true);
  expect(fail('ESRCH')).toBe(false);
});
