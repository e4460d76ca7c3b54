import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { moveDurably, moveDurablySync, writeDurably, writeDurablySync } from './write-durably.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-durable-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const writers: [string, (path: string, content: string, mode?: number) => void | Promise<void>][] = [
  ['writeDurably', writeDurably],
  ['writeDurablySync', writeDurablySync],
];

test.each(writers)(
  '%s creates or replaces a file with the given mode, and leaves no temporary file',
  async (_, write) => {
    const path = join(dir, 'file');
    await write(path, 'first', 0o600);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await write(path, 'second');
    expect(readFileSync(path, 'utf8')).toBe('second');
    expect(readdirSync(dir)).toEqual(['file']);
  },
);

test.each(writers)('%s removes its temporary file if the target cannot be replaced', async (_, write) => {
  const path = join(dir, 'folder');
  await mkdir(join(path, 'inside'), { recursive: true });
  await expect((async () => write(path, 'text'))()).rejects.toThrow();
  expect(readdirSync(dir)).toEqual(['folder']);
});

test.each([
  ['moveDurably', moveDurably],
  ['moveDurablySync', moveDurablySync],
])('%s replaces an existing target', async (_, move) => {
  writeFileSync(join(dir, 'from'), 'new');
  writeFileSync(join(dir, 'to'), 'old');
  await move(join(dir, 'from'), join(dir, 'to'));
  expect(readdirSync(dir)).toEqual(['to']);
  expect(readFileSync(join(dir, 'to'), 'utf8')).toBe('new');
});
