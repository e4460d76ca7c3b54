/** Tests the checks that doctor makes on a real PostgreSQL server. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { SCHEMA_VERSION } from '../../coordinator/store/schema.ts';
import { openAsLeader } from '../../test/support/coordinator/postgres-leader.ts';
import { PostgresServer, postgresMissing } from '../../test/support/postgres-server.ts';
import { isSkipped } from '../../test/support/requirements.ts';
import { faults } from './finding.ts';
import { checkPostgres } from './postgres.ts';

test.skipIf(isSkipped(postgresMissing()))(
  'doctor shows whether a database can be used, what it contains and which coordinator leads, without changing the database',
  async () => {
    const server = await PostgresServer.start();
    onTestFinished(() => server.close());
    const url = await server.createDatabase('sweeps');
    const find = async (name: string, location = url) =>
      (await checkPostgres(location)).find((finding) => finding.name === name);
    expect(await find('store')).toMatchObject({
      state: 'ok',
      detail: expect.stringContaining('a durable commit takes'),
    });
    expect(await find('store, content')).toMatchObject({ detail: expect.stringContaining('the database is empty') });
    // Test servers run with fsync off.
    expect(await find('store, fsync')).toMatchObject({ state: 'warning' });
    expect(await find('store, TLS')).toBeUndefined();
    expect(await server.query('sweeps', "select 1 from pg_class where relnamespace = 'public'::regnamespace")).toEqual(
      [],
    );

    const dir = mkdtempSync(join(tmpdir(), 'trawl-doctor-postgres-'));
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
    const store = await openAsLeader(url, dir);
    await store.close();
    const detail = `schema ${SCHEMA_VERSION}; 0 transactions; led by 127.0.0.1:1`;
    expect(await find('store, content')).toMatchObject({ state: 'ok', detail });

    await server.query('sweeps', `update meta set value = '${SCHEMA_VERSION + 1}' where name = 'schema'`);
    expect(await find('store, content')).toMatchObject({
      state: 'missing',
      detail: expect.stringContaining('of a newer trawl'),
    });
    await server.query('postgres', "create user reader password 'secret'; revoke create on schema public from public");
    const reader = `postgres://reader:secret@127.0.0.1:${server.port}/sweeps`;
    expect(faults(await checkPostgres(reader))[0]?.detail).toContain('make the user the owner of the database');
    expect(faults(await checkPostgres(server.url('missing')))[0]?.detail).toContain('does not exist');
  },
);
