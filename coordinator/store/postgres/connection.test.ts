import { expect, test } from 'vitest';
import { BadInputError } from '../../../proto/errors.ts';
import { clientConfig, parsePostgresUrl, shownUrl } from './connection.ts';

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
