import { type AddressInfo, createServer } from 'node:net';
import { Pool } from 'pg';
import { expect, test } from 'vitest';
import { clientConfig, serverProblem } from './connection.ts';
import { isDisconnect } from './transactions.ts';

test('as in other clients of PostgreSQL, sslmode=require encrypts without checking the certificate', () => {
  const { connectionString } = clientConfig(new URL('postgres://u@h/x?sslmode=require'));
  expect(connectionString).toContain('uselibpqcompat=true');
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
  // The second query waits for a connection of the pool, and fails with a different error.
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
