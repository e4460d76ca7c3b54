import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { testStore } from '../../test/support/coordinator/store-contract.ts';
import { fixtureCommand } from '../../test/support/run-fixture.ts';
import { SqliteStore } from './sqlite-store.ts';

function newFolder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-sqlite-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

testStore(
  async () => {
    const dir = newFolder();
    const store = SqliteStore.open(dir);
    onTestFinished(() => store.close());
    return {
      store,
      async reopened() {
        await store.close();
        // libsql releases the lock of a store only when the process ends, so the test opens a copy of the store.
        const copy = newFolder();
        cpSync(dir, copy, { recursive: true });
        const again = SqliteStore.open(copy);
        onTestFinished(() => again.close());
        return again;
      },
    };
  },
  async () => {
    const dir = newFolder();
    const writer = new URL('../../test/support/coordinator/sqlite-writer.fixture.ts', import.meta.url);
    return {
      command: [process.execPath, ...fixtureCommand(writer, dir)],
      async open() {
        const store = SqliteStore.open(dir);
        onTestFinished(() => store.close());
        return store;
      },
    };
  },
);
