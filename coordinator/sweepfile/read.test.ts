import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BadInputError } from '../../proto/errors.ts';
import { SweepFileError } from './problems.ts';
import { decodeSweepFile, readSweepFile } from './read.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trawl-read-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function refusalOf(path: string): Promise<Error> {
  return readSweepFile(path).then(
    () => new Error('read'),
    (error: Error) => error,
  );
}

function refusal(bytes: readonly number[]): string {
  try {
    return decodeSweepFile(Uint8Array.from(bytes), 'x');
  } catch (error) {
    return error instanceof SweepFileError ? error.message : String(error);
  }
}

const ascii = (text: string) => [...Buffer.from(text)];

test('a sweep file of 200 MB is rejected before it is read', async () => {
  const path = join(folder, 'huge.yaml');
  const file = await open(path, 'w');
  await file.truncate(200e6);
  await file.close();
  const before = process.memoryUsage().rss;
  const error = await refusalOf(path);
  expect(process.memoryUsage().rss - before).toBeLessThan(50e6);
  expect(error).toBeInstanceOf(SweepFileError);
  expect(error.message).toMatch(/huge\.yaml:1:1: the file has 200,000,000 bytes, more than the limit of 1,048,576 /);
});

test('an endless device is read only up to the size limit', async () => {
  expect((await refusalOf('/dev/zero')).message).toMatch(/^\/dev\/zero:1:1: the file has over 1,048,576 bytes/);
});

test('a sweep file can be a pipe, which is read to its end', async () => {
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const [text] = await Promise.all([readSweepFile(path), writeFile(path, 'a: 1\n')]);
  expect(text).toBe('a: 1\n');
});

test('if a sweep file cannot be read, the error states the reason', async () => {
  const missing = await refusalOf(join(folder, 'none.yaml'));
  expect(missing).toBeInstanceOf(BadInputError);
  expect(missing.message).toMatch(/none\.yaml: no such file$/);
  expect((await refusalOf(folder)).message).toBe(`${folder}: is a folder, not a sweep file`);
});

test('a byte order mark at the start of a sweep file is removed', async () => {
  const path = join(folder, 'mark.yaml');
  await writeFile(path, '\ufeffname: "Größe 📐 \ufffd"\n');
  expect(await readSweepFile(path)).toBe('name: "Größe 📐 \ufffd"\n');
});

test.each([
  [
    'a Latin-1 letter',
    [...ascii('a: 1\nb: K'), 0xf6, ...ascii('ln')],
    'x:2:5: byte 10 (0xf6) is not UTF-8; save the file as UTF-8',
  ],
  ['a truncated character', [...ascii('é: '), 0xe2, 0x82], 'x:1:4: byte 5 (0xe2) is not UTF-8; save the file as UTF-8'],
  [
    'an invalid byte after a byte order mark and U+FFFD',
    [0xef, 0xbb, 0xbf, 0xef, 0xbf, 0xbd, 0x80],
    'x:1:2: byte 7 (0x80) is not UTF-8; save the file as UTF-8',
  ],
  ['a surrogate', [...ascii('a'), 0xed, 0xa0, 0x80], 'x:1:2: byte 2 (0xed) is not UTF-8; save the file as UTF-8'],
  ['UTF-16', [0xff, 0xfe, 0x61, 0x00], 'x:1:1: the file is UTF-16; save it as UTF-8'],
])('%s is rejected, and the error states the position', (_, bytes, message) => {
  expect(refusal(bytes)).toBe(message);
});
