import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { isAlive, readCoordinatorFile, removeCoordinatorFile, writeCoordinatorFile } from './coordinator-file.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-coordinator-file-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true });
});

test('a coordinator file can be read until it is removed', () => {
  const content = { address: '127.0.0.1:7070', metrics: '127.0.0.1:7071', pid: 5, tls: true };
  expect(readCoordinatorFile(dir)).toBeUndefined();
  writeCoordinatorFile(dir, content);
  expect(readCoordinatorFile(dir)).toEqual(content);
  removeCoordinatorFile(dir);
  expect(readCoordinatorFile(dir)).toBeUndefined();
});

test.each(['', '{"address": "127.0.0.1:70', '[]', '{"address": 7, "pid": 1}', '{"address": "a:1", "pid": 0}'])(
  'a coordinator file that contains %j is ignored',
  (content) => {
    writeFileSync(join(dir, 'coordinator.json'), content);
    expect(readCoordinatorFile(dir)).toBeUndefined();
  },
);

test('a process of another user counts as alive, and a missing process does not', () => {
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
