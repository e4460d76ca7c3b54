import { expect, test } from 'vitest';
import { clientConfig, serverProblem } from './connection.ts';

test('sslmode means the same as in other clients of PostgreSQL: require encrypts without checking the certificate', () => {
  const { connectionString } = clientConfig(new URL('postgres://u@h/x?sslmode=require'));
  expect(connectionString).toContain('uselibpqcompat=true');
});

const SERVER = { number: 140_000, version: '14.0', encoding: 'UTF8', standby: 0, schema: 'public' };

test.each([
  [{ number: 130_022, version: '13.22' }, /u@h\/x is PostgreSQL 13\.22; trawl needs PostgreSQL 14 or later/],
  [{ encoding: 'SQL_ASCII' }, /has the encoding SQL_ASCII; create it with UTF8/],
  [{ standby: 1 }, /is a standby of PostgreSQL; name the primary server/],
  [{ schema: null }, /has no schema in its search path/],
])('a server with %o is rejected', (facts, message) => {
  expect(serverProblem({ ...SERVER, ...facts }, 'postgres://u@h/x')?.message).toMatch(message);
});

test('PostgreSQL 14 is accepted', () => {
  expect(serverProblem(SERVER, 'postgres://u@h/x')).toBeUndefined();
});
