import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { folderIdentity } from './folder-identity.ts';

let dir: string;
beforeEach(() => {
  const parent = mkdtempSync(join(tmpdir(), 'trawl-folder-identity-'));
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }));
  dir = join(parent, 'agent');
  cpSync(mkdtempSync(join(parent, 'empty-')), dir, { recursive: true });
});

test('a folder keeps its instance id and its location when it is renamed', () => {
  const first = folderIdentity(dir);
  expect(first.instance).toMatch(/^[0-9a-f]{32}$/);
  expect(folderIdentity(dir)).toEqual(first);
  renameSync(dir, `${dir}-renamed`);
  expect(folderIdentity(`${dir}-renamed`)).toEqual(first);
});

test('a copy has the same instance id and another location; deleting the file "instance" gives a new instance id', () => {
  const first = folderIdentity(dir);
  cpSync(dir, `${dir}-copy`, { recursive: true });
  const copy = folderIdentity(`${dir}-copy`);
  expect(copy.instance).toBe(first.instance);
  expect(copy.location).not.toBe(first.location);
  rmSync(join(dir, 'instance'));
  expect(folderIdentity(dir)).toMatchObject({ location: first.location });
  expect(folderIdentity(dir).instance).not.toBe(first.instance);
});

test.each(['', '\n', 'x', 'a'.repeat(10_000)])('a damaged file "instance" (%#) is replaced', (content) => {
  writeFileSync(join(dir, 'instance'), content);
  const { instance } = folderIdentity(dir);
  expect(instance).toMatch(/^[0-9a-f]{32}$/);
  expect(folderIdentity(dir).instance).toBe(instance);
});
