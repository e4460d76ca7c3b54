import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checksumOfFile, sha256Of } from './checksum.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trawl-checksum-'));
});
afterAll(() => rm(dir, { recursive: true }));

test('a checksum is SHA-256 in lower-case hexadecimal', () => {
  expect(sha256Of('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  expect(sha256Of(new Uint8Array())).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
});

test('the size and the checksum of a file agree with its bytes', async () => {
  const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251);
  const path = join(dir, 'file');
  await writeFile(path, bytes);
  expect(await checksumOfFile(path)).toEqual({ size: bytes.length, sha256: sha256Of(bytes) });
  await expect(checksumOfFile(join(dir, 'missing'))).rejects.toThrow(/ENOENT/);
});
