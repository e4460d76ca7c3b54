import { expect, test } from 'vitest';
import { BadInputError } from '../../../proto/errors.ts';
import { parsePostgresLocation } from './location.ts';

test.each([
  ['postgres://u@db.example/x', /names another machine \(db\.example\) without sslmode/],
  ['postgres://u@localhost,db.example/x', /names another machine \(db\.example\) without sslmode/],
  [
    'postgres://u@db.example/x?sslmode=prefer',
    /unknown sslmode "prefer"; expected disable, require, verify-ca, verify-full/,
  ],
  ['mysql://u@localhost/x', /unknown scheme mysql:; expected postgres:/],
  ['db.example', /invalid URL/],
  ['postgres://u@localhost:port/x', /invalid URL/],
  ['postgres://u@localhost,/x', /a name is missing in the list of servers/],
  ['postgres:///x?host=a,b&sslmode=disable', /name several servers before the database/],
  [
    'postgres://u@localhost/x?target_session_attrs=any',
    /target_session_attrs=any does not name the primary; expected read-write or primary/,
  ],
])('%s is rejected', (url, message) => {
  expect(() => parsePostgresLocation(url)).toThrow(BadInputError);
  expect(() => parsePostgresLocation(url)).toThrow(message);
});

test.each([
  ['postgres://u@localhost/x', ['postgres://u@localhost/x']],
  ['postgresql://u@127.0.0.1:5433/x', ['postgresql://u@127.0.0.1:5433/x']],
  ['postgres:///x?host=/run/postgresql', ['postgres:///x?host=/run/postgresql']],
  ['postgres://u@db.example/x?sslmode=disable', ['postgres://u@db.example/x?sslmode=disable']],
  ['postgres://u@localhost:5433,[::1]/x', ['postgres://u@localhost:5433/x', 'postgres://u@[::1]/x']],
  [
    'postgres://u:p@a:5432,b/x?sslmode=require&target_session_attrs=read-write',
    [
      'postgres://u:p@a:5432/x?sslmode=require&target_session_attrs=read-write',
      'postgres://u:p@b/x?sslmode=require&target_session_attrs=read-write',
    ],
  ],
])('the URL %s is split into one URL per server', (url, servers) => {
  expect(parsePostgresLocation(url).urls.map(({ href }) => href)).toEqual(servers);
});

test('messages name all servers, but show no password', () => {
  expect(parsePostgresLocation('postgres://u:secret@localhost/x?password=secret').name).toBe(
    'postgres://u@localhost/x',
  );
  expect(parsePostgresLocation('postgres://u:secret@localhost:1,127.0.0.1:2/x').name).toBe(
    'postgres://u@localhost:1,127.0.0.1:2/x',
  );
});
