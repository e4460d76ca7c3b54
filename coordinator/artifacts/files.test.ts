import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ConflictError, RejectedError } from '../../proto/errors.ts';
import { testArtifactStore } from '../../test/support/coordinator/artifact-contract.ts';
import type { Artifact } from '../core/attempt-model.ts';
import { ArtifactFiles } from './files.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-artifacts-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

testArtifactStore(async () => ({ store: new ArtifactFiles(dir), restarted: () => new ArtifactFiles(dir) }));

const key = (attempt: number) => ({ sweepId: '1', trialId: 't', attempt });
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

async function put(files: ArtifactFiles, attempt: number, name: string): Promise<void> {
  const file = await files.begin(key(attempt), { name, kind: 'file', epoch: 0, size: 0, sha256: EMPTY });
  expect(await file.finish()).toBe(true);
  await file.close();
}

test('a starting coordinator moves partial uploads and files without a record to the orphans folder, and keeps recorded files', async () => {
  const files = new ArtifactFiles(dir);
  await put(files, 1, 'a/b.png');
  await put(files, 1, 'c.png');
  const begun = await files.begin(key(2), { name: 'd', kind: 'file', epoch: 0, size: 9, sha256: EMPTY });
  await begun.append(Buffer.from('half'));
  await begun.close();
  expect(await files.moveOrphans(async (_, name) => name === 'a/b.png', 0)).toBe(2);
  expect(files.has(key(1), 'a/b.png')).toBe(true);
  expect(files.has(key(1), 'c.png')).toBe(false);
  expect(existsSync(join(dir, 'artifacts', '1', 't', '2', '.parts', EMPTY))).toBe(false);
  const orphans = join(dir, 'orphans', '1970-01-01T00-00-00.000Z', 'artifacts', '1', 't');
  expect(readFileSync(join(orphans, '2', '.parts', EMPTY), 'utf8')).toBe('half');
  expect(existsSync(join(orphans, '1', 'c.png'))).toBe(true);
});

test('a file that is removed while `keepAll` is in effect is deleted when `keepAll` is released', async () => {
  const files = new ArtifactFiles(dir);
  await put(files, 1, 'old');
  const release = files.keepAll();
  await files.remove(key(1), 'old');
  expect(files.has(key(1), 'old')).toBe(true);
  await release();
  expect(files.has(key(1), 'old')).toBe(false);
});

test('a folder without artifacts has no orphans', async () => {
  expect(await new ArtifactFiles(dir).moveOrphans(async () => false, 0)).toBe(0);
});

const BYTES = Buffer.from('a checkpoint');
const FILE: Artifact = {
  name: 'folder/file',
  kind: 'file',
  epoch: 0,
  size: BYTES.length,
  sha256: createHash('sha256').update(BYTES).digest('hex'),
};

/** Leaves a partial upload behind, as a killed coordinator does. */
async function leavePartialUpload(bytes: Uint8Array): Promise<void> {
  const file = await new ArtifactFiles(dir).begin(key(1), FILE);
  await file.close();
  writeFileSync(join(dir, 'artifacts', '1', 't', '1', '.parts', FILE.sha256), bytes);
}

/** Uploads the missing bytes of the file. */
async function completeUpload(files: ArtifactFiles): Promise<{ offset: number; whole: boolean }> {
  const file = await files.begin(key(1), FILE);
  expect(await file.append(BYTES.subarray(file.offset))).toBe(true);
  const whole = await file.finish();
  await file.close();
  return { offset: file.offset, whole };
}

test('an upload continues after a restart, and its file is visible only when complete', async () => {
  await leavePartialUpload(BYTES.subarray(0, 5));
  const files = new ArtifactFiles(dir);
  expect([files.has(key(1), FILE.name), await files.holds(key(1), FILE)]).toEqual([false, false]);
  expect(await completeUpload(files)).toEqual({ offset: 5, whole: true });
  expect(await files.holds(key(1), FILE)).toBe(true);
  expect(readFileSync(files.path(key(1), FILE.name))).toEqual(BYTES);
});

test('a partial upload that is too long or wrong is discarded, and the upload starts from the beginning', async () => {
  await leavePartialUpload(Buffer.concat([BYTES, BYTES]));
  const files = new ArtifactFiles(dir);
  expect(await completeUpload(files)).toEqual({ offset: 0, whole: true });
  await files.remove(key(1), FILE.name);
  await leavePartialUpload(Buffer.alloc(5));
  expect(await completeUpload(files)).toEqual({ offset: 5, whole: false });
  expect(files.has(key(1), FILE.name)).toBe(false);
  expect(await completeUpload(files)).toEqual({ offset: 0, whole: true });
});

test('a file with the same name and different contents does not count as stored', async () => {
  const files = new ArtifactFiles(dir);
  await completeUpload(files);
  writeFileSync(files.path(key(1), FILE.name), 'a chockpeint');
  expect(await files.holds(key(1), FILE)).toBe(false);
});

test('the second of two concurrent uploads of the same contents is rejected', async () => {
  const files = new ArtifactFiles(dir);
  const first = await files.begin(key(1), FILE);
  await expect(files.begin(key(1), { ...FILE, name: 'twin' })).rejects.toThrow(RejectedError);
  await first.close();
  await (await files.begin(key(1), { ...FILE, name: 'twin' })).close();
});

test("the path of the coordinator's folder can be relative", async () => {
  const files = new ArtifactFiles(`${relative(process.cwd(), dir)}/`);
  expect(await completeUpload(files)).toEqual({ offset: 0, whole: true });
  expect(new ArtifactFiles(dir).has(key(1), FILE.name)).toBe(true);
});

test.each([
  ['a', 'a/b', 'artifact a/b conflicts with the artifact a:'],
  ['a/b', 'a/b/c/d', 'artifact a/b/c/d conflicts with the artifact a/b:'],
  ['a/b', 'a', 'artifact a conflicts with the artifacts in the folder a:'],
])('if artifact %s is stored, artifact %s of the same attempt is rejected', async (stored, name, message) => {
  const files = new ArtifactFiles(dir);
  await put(files, 1, stored);
  await expect(put(files, 1, name)).rejects.toThrow(message);
  await expect(put(files, 1, name)).rejects.toThrow(ConflictError);
  await put(files, 2, name);
  await put(files, 1, 'other');
});

test('of two concurrent uploads with conflicting names, the upload that ends later is rejected', async () => {
  const files = new ArtifactFiles(dir);
  const slow = await files.begin(key(1), { ...FILE, name: 'a' });
  await slow.append(BYTES);
  await put(files, 1, 'a/b');
  await expect(slow.finish()).rejects.toThrow(ConflictError);
  await slow.close();
});

test('after an attempt ends, its files without a record are removed, except files being uploaded', async () => {
  const files = new ArtifactFiles(dir);
  await put(files, 1, 'kept/file');
  await put(files, 1, 'kept/other');
  await put(files, 2, 'kept/other');
  await leavePartialUpload(BYTES.subarray(0, 5));
  const running = await files.begin(key(1), { ...FILE, sha256: EMPTY });
  const part = (sha256: string) => existsSync(join(dir, 'artifacts', '1', 't', '1', '.parts', sha256));
  const clean = () => files.removeUnnamed(key(1), async (name) => name === 'kept/file');
  await clean();
  expect([part(FILE.sha256), part(EMPTY)]).toEqual([false, true]);
  expect([files.has(key(1), 'kept/file'), files.has(key(1), 'kept/other')]).toEqual([true, false]);
  expect(files.has(key(2), 'kept/other')).toBe(true);
  await running.close();
  await clean();
  expect(part(EMPTY)).toBe(false);
});

test('a shared file is kept until it is removed from both attempts', async () => {
  const files = new ArtifactFiles(dir);
  const file = { name: 'checkpoints/e2', size: 0, sha256: EMPTY };
  await put(files, 1, file.name);
  await files.share(key(1), key(0), file);
  await files.share(key(1), key(0), file);
  await files.remove(key(1), file.name);
  expect(files.has(key(0), file.name)).toBe(true);
  await files.remove(key(0), file.name);
  expect(files.has(key(0), file.name)).toBe(false);
  await expect(files.share(key(1), key(0), file)).rejects.toThrow('ENOENT');
  expect(files.has(key(0), file.name)).toBe(false);
});
