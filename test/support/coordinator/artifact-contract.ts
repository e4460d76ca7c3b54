/** The contract of artifact stores, as tests that run for each implementation. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { ArtifactStore, IncomingArtifact } from '../../../coordinator/artifacts/artifact-store.ts';
import type { Artifact } from '../../../coordinator/core/attempt-model.ts';
import { ConflictError, NotFoundError, RejectedError } from '../../../proto/errors.ts';
import { ARTIFACT_CHUNK_BYTES } from '../../../proto/limits.ts';

/** The store under test. */
export interface TestedStore {
  readonly store: ArtifactStore;
  /** Returns the store as a restarted coordinator opens it. */
  restarted(): ArtifactStore;
}

const BYTES = Buffer.from('a checkpoint of a trial');
const attempt = (number: number, sweepId = '1') => ({ sweepId, trialId: 't', attempt: number });

function artifactOf(bytes: Uint8Array, name = 'folder/file'): Artifact {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { name, kind: 'file', epoch: 0, size: bytes.byteLength, sha256 };
}

async function completed(incoming: IncomingArtifact, bytes: Uint8Array): Promise<boolean> {
  try {
    if (incoming.offset < bytes.byteLength) expect(await incoming.append(bytes.subarray(incoming.offset))).toBe(true);
    return await incoming.finish();
  } finally {
    await incoming.close();
  }
}

async function upload(store: ArtifactStore, number: number, bytes: Uint8Array, name?: string, sweepId?: string) {
  return completed(await store.begin(attempt(number, sweepId), artifactOf(bytes, name)), bytes);
}

async function contentOf(store: ArtifactStore, number: number, artifact: Artifact, offset = 0, sweepId?: string) {
  const chunks: Buffer[] = [];
  for await (const chunk of store.read(attempt(number, sweepId), artifact, offset)) {
    expect(chunk.byteLength).toBeLessThanOrEqual(ARTIFACT_CHUNK_BYTES);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * Declares the tests of the contract.
 * @param open opens a new, empty store
 */
export function testArtifactStore(open: () => Promise<TestedStore>): void {
  test('a file counts as stored only when it is complete, and is still stored after a restart', async () => {
    const { store, restarted } = await open();
    const artifact = artifactOf(BYTES);
    const incoming = await store.begin(attempt(1), artifact);
    await incoming.append(BYTES.subarray(0, 5));
    expect([store.has(attempt(1), artifact.name), await store.holds(attempt(1), artifact)]).toEqual([false, false]);
    await incoming.close();
    const resumed = await restarted().begin(attempt(1), artifact);
    expect(resumed.offset).toBe(5);
    await resumed.close();
    expect(await upload(store, 1, BYTES)).toBe(true);
    expect([store.has(attempt(1), artifact.name), await store.holds(attempt(1), artifact)]).toEqual([true, true]);
    const after = restarted();
    expect(await after.holds(attempt(1), artifact)).toBe(true);
    expect(after.has(attempt(1), artifact.name)).toBe(true);
    expect(await contentOf(after, 1, artifact)).toEqual(BYTES);
    expect(await contentOf(after, 1, artifact, 7)).toEqual(BYTES.subarray(7));
  });

  test('a file is read in chunks, and an empty file has no chunks', async () => {
    const { store } = await open();
    const large = Buffer.alloc(3 * ARTIFACT_CHUNK_BYTES + 5, 'x');
    expect(await upload(store, 1, large, 'large')).toBe(true);
    expect((await contentOf(store, 1, artifactOf(large, 'large'))).equals(large)).toBe(true);
    expect(await upload(store, 1, Buffer.alloc(0), 'empty')).toBe(true);
    expect(await contentOf(store, 1, artifactOf(Buffer.alloc(0), 'empty'))).toEqual(Buffer.alloc(0));
  });

  test('a file with the wrong checksum is not stored, and the next upload starts from the beginning', async () => {
    const { store } = await open();
    const artifact = artifactOf(BYTES);
    const wrong = Buffer.from(BYTES).fill('x', 0, 3);
    expect(await completed(await store.begin(attempt(1), artifact), wrong)).toBe(false);
    expect(await store.holds(attempt(1), artifact)).toBe(false);
    const again = await store.begin(attempt(1), artifact);
    expect(again.offset).toBe(0);
    expect(await again.append(Buffer.concat([BYTES, BYTES]))).toBe(false);
    expect(await completed(again, BYTES)).toBe(true);
  });

  test('a stored file does not count as the expected artifact if its contents or its attempt differ', async () => {
    const { store } = await open();
    expect(await upload(store, 1, BYTES)).toBe(true);
    expect(await store.holds(attempt(1), artifactOf(Buffer.from('other')))).toBe(false);
    expect(await store.holds(attempt(2), artifactOf(BYTES))).toBe(false);
  });

  test('a second upload of the same contents by the same attempt is rejected while the first upload runs', async () => {
    const { store } = await open();
    const first = await store.begin(attempt(1), artifactOf(BYTES));
    await expect(store.begin(attempt(1), artifactOf(BYTES))).rejects.toThrow(RejectedError);
    await first.close();
    expect(await upload(store, 1, BYTES)).toBe(true);
  });

  test.each([
    ['a', 'a/b'],
    ['a/b', 'a/b/c/d'],
    ['a/b', 'a'],
  ])(
    'if artifact %s is stored, an upload of %s is rejected because of its name, even after a restart',
    async (stored, name) => {
      const { store, restarted } = await open();
      expect(await upload(store, 1, BYTES, stored)).toBe(true);
      await expect(upload(store, 1, BYTES, name)).rejects.toThrow(ConflictError);
      await expect(upload(restarted(), 1, BYTES, name)).rejects.toThrow(`artifact ${name} conflicts with`);
      expect(await upload(store, 2, BYTES, name)).toBe(true);
    },
  );

  test('reading a missing file fails with an error that names the file', async () => {
    const { store } = await open();
    await expect(contentOf(store, 1, artifactOf(BYTES, 'gone'))).rejects.toThrow(NotFoundError);
    await expect(contentOf(store, 1, artifactOf(BYTES, 'gone'))).rejects.toThrow(
      'the file of artifact gone of trial t',
    );
  });

  test('a file that two attempts share is kept until both have removed it, even after a restart', async () => {
    const { store, restarted } = await open();
    const artifact = artifactOf(BYTES);
    const empty = artifactOf(Buffer.alloc(0), 'empty');
    expect(await upload(store, 1, BYTES)).toBe(true);
    expect(await upload(store, 1, Buffer.alloc(0), empty.name)).toBe(true);
    for (const shared of [artifact, artifact, empty]) await store.share(attempt(1), attempt(2), shared);
    await store.remove(attempt(1), artifact.name);
    const after = restarted();
    expect([await after.holds(attempt(1), artifact), await after.holds(attempt(2), artifact)]).toEqual([false, true]);
    expect(await contentOf(after, 2, artifact)).toEqual(BYTES);
    expect(await after.holds(attempt(2), empty)).toBe(true);
    // A coordinator that starts after a crash calls `share` again for each file, even if the first attempt has already
    // removed its file.
    await after.share(attempt(1), attempt(2), artifact);
    await after.remove(attempt(2), artifact.name);
    expect(await after.holds(attempt(2), artifact)).toBe(false);
    await expect(after.share(attempt(1), attempt(2), artifact)).rejects.toThrow();
    expect(await after.holds(attempt(2), artifact)).toBe(false);
  });

  test('a removed file is gone, and other files are kept', async () => {
    const { store } = await open();
    await upload(store, 1, BYTES, 'old');
    await upload(store, 1, BYTES, 'older/file');
    await store.remove(attempt(1), 'old');
    await store.remove(attempt(1), 'never-stored');
    expect(store.has(attempt(1), 'old')).toBe(false);
    await expect(contentOf(store, 1, artifactOf(BYTES, 'old'))).rejects.toThrow(NotFoundError);
    expect(await contentOf(store, 1, artifactOf(BYTES, 'older/file'))).toEqual(BYTES);
  });

  test('the files of a pruned sweep are removed, the files of other sweeps are kept, and a second removal is harmless', async () => {
    const { store } = await open();
    await upload(store, 1, BYTES, 'a', '1');
    await upload(store, 2, BYTES, 'b', '1');
    await upload(store, 1, BYTES, 'a', '11');
    expect(await store.removeSweep('1')).toBe(true);
    expect(await store.removeSweep('1')).toBe(true);
    await expect(contentOf(store, 1, artifactOf(BYTES, 'a'))).rejects.toThrow(NotFoundError);
    await expect(contentOf(store, 2, artifactOf(BYTES, 'b'))).rejects.toThrow(NotFoundError);
    expect(await contentOf(store, 1, artifactOf(BYTES, 'a'), 0, '11')).toEqual(BYTES);
  });

  test('no file is removed during a backup; files whose removal was requested are removed afterward', async () => {
    const { store } = await open();
    await upload(store, 1, BYTES, 'old');
    await upload(store, 1, BYTES, 'a', '2');
    const release = store.keepAll();
    await store.remove(attempt(1), 'old');
    expect(await store.removeSweep('2')).toBe(false);
    expect(await contentOf(store, 1, artifactOf(BYTES, 'old'))).toEqual(BYTES);
    expect(await contentOf(store, 1, artifactOf(BYTES, 'a'), 0, '2')).toEqual(BYTES);
    await release();
    await expect(contentOf(store, 1, artifactOf(BYTES, 'old'))).rejects.toThrow(NotFoundError);
    await expect(contentOf(store, 1, artifactOf(BYTES, 'a'), 0, '2')).rejects.toThrow(NotFoundError);
  });

  test('if no record names a file of an attempt, the file is removed; other files of the attempt and files of other attempts are kept', async () => {
    const { store } = await open();
    await upload(store, 1, BYTES, 'kept');
    await upload(store, 1, BYTES, 'unnamed');
    await upload(store, 2, BYTES, 'unnamed');
    await store.removeUnnamed(attempt(1), async (name) => name === 'kept');
    expect(await contentOf(store, 1, artifactOf(BYTES, 'kept'))).toEqual(BYTES);
    await expect(contentOf(store, 1, artifactOf(BYTES, 'unnamed'))).rejects.toThrow(NotFoundError);
    expect(await contentOf(store, 2, artifactOf(BYTES, 'unnamed'))).toEqual(BYTES);
  });

  test('a restart removes no files, and moves partial uploads of ended attempts aside', async () => {
    const { store, restarted } = await open();
    await upload(store, 1, BYTES, 'named');
    const incoming = await store.begin(attempt(2), artifactOf(BYTES));
    await incoming.append(BYTES.subarray(0, 5));
    await incoming.close();
    expect(await restarted().moveOrphans(async (_, name) => name === 'named', 0)).toBe(1);
    expect(await contentOf(store, 1, artifactOf(BYTES, 'named'))).toEqual(BYTES);
    const sets = await store.removeOrphans(async () => true, 1, false, 1);
    expect(sets).toEqual([{ name: '1970-01-01T00-00-00.000Z', files: 1, bytes: 5 }]);
  });
}
