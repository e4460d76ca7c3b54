import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readCoordinatorFile, removeCoordinatorFile, writeCoordinatorFile } from './coordinator-file.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-coordinator-file-'));
});
afterEach(() => {
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
