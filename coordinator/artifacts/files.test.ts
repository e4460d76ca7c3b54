import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ArtifactFiles } from './files.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'trawl-artifacts-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const key = (attempt: number) => ({ sweepId: '1', trialId: 't', attempt });
/** SHA-256 of nothing. */
const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

async function put(files: ArtifactFiles, attempt: number, name: string): Promise<void> {
  const file = await files.begin(key(attempt), { name, kind: 'file', epoch: 0, size: 0, sha256: EMPTY });
  expect(await file.finish()).toBe(true);
  await file.close();
}

test('a start removes what nothing names, parts on their way too, and keeps the rest', async () => {
  const files = new ArtifactFiles(dir);
  await put(files, 1, 'a/b.png');
  await put(files, 1, 'c.png');
  const begun = await files.begin(key(2), { name: 'd', kind: 'file', epoch: 0, size: 9, sha256: EMPTY });
  await begun.append(Buffer.from('half'));
  await begun.close();
  expect(await files.removeOrphans((_, name) => name === 'a/b.png')).toBe(2);
  expect(files.has(key(1), 'a/b.png')).toBe(true);
  expect(files.has(key(1), 'c.png')).toBe(false);
  expect(existsSync(join(dir, 'artifacts', '1', 't', '2', '.parts', EMPTY))).toBe(false);
});

test('where there are no artifacts there is nothing to remove', async () => {
  expect(await new ArtifactFiles(dir).removeOrphans(() => false)).toBe(0);
});
