import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BadInputError } from '../../proto/errors.ts';
import { keptFile } from '../folders.ts';
import { artifactKeeper } from './artifact-keeper.ts';
import type { KeptFile } from './ipc.ts';

let folder: string;
let announced: KeptFile[];
let keep: ReturnType<typeof artifactKeeper>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trawl-keep-'));
  announced = [];
  keep = artifactKeeper(folder, (file) => announced.push(file));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const BYTES = Buffer.from('what is kept');
const named = (name: string) => ({ name, kind: 'file', epoch: 3 }) as const;
const announcement = (name: string) => ({
  ...named(name),
  size: BYTES.length,
  sha256: createHash('sha256').update(BYTES).digest('hex'),
});

function writeFile(name: string, bytes: Uint8Array = BYTES): { path: string } {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return { path };
}

test('an artifact is complete in the folder when its size and checksum are announced', async () => {
  await keep(named('a/b/bytes'), BYTES);
  const file = writeFile('made');
  await keep(named('a/file'), file);
  expect(announced).toEqual([announcement('a/b/bytes'), announcement('a/file')]);
  for (const { name } of announced) expect(readFileSync(keptFile(folder, name))).toEqual(BYTES);
  expect(existsSync(file.path)).toBe(false);
});

test('a file above 1 GiB is rejected and not moved, and later artifacts are kept', async () => {
  const large = writeFile('large');
  truncateSync(large.path, 2 ** 30 + 1);
  await expect(keep(named('model'), large)).rejects.toThrow(
    new BadInputError('"model" cannot be an artifact: it has 1073741825 bytes; expected at most 1073741824'),
  );
  expect([existsSync(large.path), existsSync(keptFile(folder, 'model'))]).toEqual([true, false]);
  await keep(named('model'), BYTES);
  expect(announced).toEqual([announcement('model')]);
});

test.each(['../up', 'a/../../up', '/root', '.hidden', 'a//b', ''])('an artifact named %j is rejected', async (name) => {
  await expect(keep(named(name), BYTES)).rejects.toThrow(BadInputError);
  expect(announced).toEqual([]);
  expect(existsSync(join(folder, 'kept'))).toBe(false);
});

test('an artifact name can be used only once, either for a file or for a folder', async () => {
  await keep(named('a/b'), BYTES);
  await expect(keep(named('a/b'), BYTES)).rejects.toThrow('already has an artifact with this name');
  await expect(keep(named('a'), writeFile('x'))).rejects.toThrow('"a" cannot be both a file and a folder');
  await expect(keep(named('a/b/c'), BYTES)).rejects.toThrow('"a/b" cannot be both a file and a folder');
  await keep(named('a/c'), BYTES);
  expect(announced.map(({ name }) => name)).toEqual(['a/b', 'a/c']);
});
