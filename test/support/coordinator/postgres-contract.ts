/** Runs the tests that all stores share against a store in PostgreSQL. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { PostgresServer } from '../postgres-server.ts';
import { fixtureCommand } from '../run-fixture.ts';
import { openAsLeader } from './postgres-leader.ts';
import { testStore } from './store-contract.ts';

/**
 * Defines the tests.
 * @param server returns the running server
 * @param folder a folder that the caller removes
 * @param kills see `testStore`
 */
export function testPostgresStore(server: () => PostgresServer, folder: string, kills?: readonly number[]): void {
  let databases = 0;
  const newDatabase = () => {
    databases += 1;
    return server().createDatabase(`contract${databases}`);
  };
  const newFolder = () => mkdtempSync(join(folder, 'contract-'));
  testStore(
    async () => {
      const url = await newDatabase();
      const dir = newFolder();
      const store = await openAsLeader(url, dir);
      let current = store;
      onTestFinished(() => current.close());
      return {
        store,
        async reopened() {
          await store.close();
          current = await openAsLeader(url, dir);
          return current;
        },
      };
    },
    async () => {
      const url = await newDatabase();
      const dir = newFolder();
      const writer = new URL('postgres-writer.fixture.ts', import.meta.url);
      const open = async () => {
        const store = await openAsLeader(url, dir);
        onTestFinished(() => store.close());
        return store;
      };
      return { command: [process.execPath, ...fixtureCommand(writer, url, dir)], open };
    },
    kills,
  );
}
