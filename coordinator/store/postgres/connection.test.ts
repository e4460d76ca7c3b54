import { type AddressInfo, createServer } from 'node:net';
import { Client, type ClientConfig, Pool } from 'pg';
import { expect, test, vi } from 'vitest';
import { clientConfig, serverProblem } from './connection.ts';
import { isDisconnect } from './transactions.ts';

test('as in other clients of PostgreSQL, sslmode=require encrypts without checking the certificate', () => {
  const { connectionString } = clientConfig(new URL('postgres://u@h/x?sslmode=require'));
  expect(connectionString).toContain('uselibpqcompat=true');
});

/** Returns the parameters that the client library sends to the server. */
function sentParameters(url: string, settings: ClientConfig) {
  return new Client(clientConfig(new URL(url), settings)) as Client & {
    readonly connectionParameters: { readonly options?: string };
  };
}

test.each([
  ['postgres://u@h/x', undefined, '-c a=1'],
  ['postgres://u@h/x?options=-c%20b%3D2', undefined, '-c b=2 -c a=1'],
  ['postgres://u@h/x', '-c c=3', '-c c=3 -c a=1'],
  ['postgres://u@h/x?options=-c%20b%3D2', '-c c=3', '-c b=2 -c a=1'],
])(
  'the options of the user are sent before the options that trawl sets: %s with PGOPTIONS=%s',
  (url, variable, expected) => {
    vi.stubEnv('PGOPTIONS', variable);
    expect(sentParameters(url, { options: '-c a=1' }).connectionParameters.options).toBe(expected);
    vi.unstubAllEnvs();
  },
);

test('the limits of a connection override the parameters of the URL', () => {
  const url = new URL('postgres://u@h/x?query_timeout=5&connectionTimeoutMillis=6&application_name=mine');
  const limits = { query_timeout: 0, connectionTimeoutMillis: 2_000, application_name: 'trawl' };
  const { connectionString, ...config } = clientConfig(url, limits);
  expect(config).toMatchObject({ query_timeout: 0, connectionTimeoutMillis: 2_000 });
  expect(connectionString).toBe('postgres://u@h/x?application_name=mine');
  expect(clientConfig(url)).toMatchObject({ query_timeout: 5 });
});

const SERVER = { number: 140_000, version: '14.0', encoding: 'UTF8', standby: 0, schema: 'public' };

test.each([
  [{ number: 130_022, version: '13.22' }, /u@h\/x is PostgreSQL 13\.22; trawl needs PostgreSQL 14 or later/],
  [{ encoding: 'SQL_ASCII' }, /has the encoding SQL_ASCII; create it with UTF8/],
  [{ standby: 1 }, /is a standby of PostgreSQL; add the primary server/],
  [{ schema: null }, /has no schema in its search path/],
])('a server with %o is rejected', (facts, message) => {
  expect(serverProblem({ ...SERVER, ...facts }, 'postgres://u@h/x')?.message).toMatch(message);
});

test('PostgreSQL 14 is accepted', () => {
  expect(serverProblem(SERVER, 'postgres://u@h/x')).toBeUndefined();
});

test('a query that gets no connection in time can be repeated', async () => {
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const pool = new Pool({ host: '127.0.0.1', port, user: 'u', password: 'p', max: 1, connectionTimeoutMillis: 50 });
  // The second query waits for a connection of the pool, and fails with a different error than the first query.
  const errors = await Promise.all(
    [1, 2].map(() =>
      pool.query('select 1').then(
        () => expect.unreachable(),
        (error: unknown) => error,
      ),
    ),
  );
  expect(errors.map(String)).toContainEqual(expect.stringContaining('timeout exceeded when trying to connect'));
  expect(errors.map(isDisconnect)).toEqual([true, true]);
  await pool.end();
  silent.close();
});
