import { expect, test } from 'vitest';
import { BadInputError } from '../../../proto/errors.ts';
import { clientConfig, parsePostgresUrl, serverProblem, shownUrl } from './connection.ts';

test.each([
  ['postgres://u@db.example/x', /names another machine \(db\.example\) without sslmode/],
  [
    'postgres://u@db.example/x?sslmode=prefer',
    /unknown sslmode "prefer"; expected disable, require, verify-ca, verify-full/,
  ],
  ['mysql://u@localhost/x', /unknown scheme mysql:; expected postgres:/],
  ['db.example', /invalid URL/],
])('%s is rejected', (url, message) => {
  expect(() => parsePostgresUrl(url)).toThrow(BadInputError);
  expect(() => parsePostgresUrl(url)).toThrow(message);
});

test.each([
  'postgres://u@localhost/x',
  'postgresql://u@127.0.0.1:5433/x',
  'postgres:///x?host=/run/postgresql',
  'postgres://u@db.example/x?sslmode=disable',
])('%s is accepted', (url) => {
  expect(parsePostgresUrl(url).href).toContain('postgres');
});

test('messages show no password', () => {
  const url = parsePostgresUrl('postgres://u:secret@localhost/x?password=secret');
  expect(shownUrl(url)).toBe('postgres://u@localhost/x');
});

test('sslmode has its meaning in PostgreSQL: require encrypts without checking the certificate', () => {
  const { connectionString } = clientConfig(parsePostgresUrl('postgres://u@h/x?sslmode=require'));
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
