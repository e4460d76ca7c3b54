import { expect, test } from 'vitest';
import { SCHEMA_VERSION } from '../../coordinator/store/schema.ts';
import { faults } from './finding.ts';
import { checkPostgres, type PostgresFacts, postgresFindings } from './postgres.ts';

const FACTS: PostgresFacts = {
  name: 'postgres://trawl@db.example/trawl',
  version: '15.6',
  tls: 'TLSv1.3',
  sslmode: 'verify-full',
  isLocal: false,
  fsync: true,
  fullPageWrites: true,
  synchronousCommit: 'on',
  synchronousStandbys: 'standby',
  clockDifferenceMs: 20,
  freeConnections: 90,
  commitMs: 1.25,
  store: { schema: SCHEMA_VERSION, transactions: 7, unusable: undefined, leader: 'head-a:7070' },
};

test('all findings for a database without problems are ok, and show the schema and the leader of the store', () => {
  const findings = postgresFindings(FACTS);
  expect(findings.map(({ state }) => state)).toEqual(['ok', 'ok']);
  expect(findings[0]?.detail).toContain('a durable commit takes 1.3 ms');
  expect(findings[1]?.detail).toBe(`schema ${SCHEMA_VERSION}; 7 transactions; led by head-a:7070`);
});

test.each<[Partial<PostgresFacts>, string, RegExp]>([
  [{ tls: undefined }, 'store, TLS', /not encrypted/],
  [{ sslmode: 'require' }, 'store, TLS', /TLSv1.3 with sslmode=require, which does not verify/],
  [{ fsync: false }, 'store, fsync', /a power failure can destroy/],
  [{ fullPageWrites: false }, 'store, full_page_writes', /full_page_writes is off/],
  [{ synchronousCommit: 'local' }, 'store, synchronous_commit', /coordinators use "on"/],
  [{ synchronousStandbys: '' }, 'store, standby servers', /no synchronous standby server/],
  [{ clockDifferenceMs: -2_500 }, 'store, clock', /2.5 s ahead of the clock of the server/],
  [{ freeConnections: 3 }, 'store, connections', /3 further connections are possible; a coordinator needs 7/],
  [{ commitMs: 80 }, 'store, latency', /takes 80 ms/],
])('doctor warns about %o', (change, name, detail) => {
  const findings = postgresFindings({ ...FACTS, ...change }).filter(({ state }) => state === 'warning');
  expect(findings).toEqual([expect.objectContaining({ name, detail: expect.stringMatching(detail), needed: false })]);
});

test('doctor accepts a connection without TLS if the database server is on this machine', () => {
  expect(postgresFindings({ ...FACTS, isLocal: true, tls: undefined, sslmode: undefined })).toHaveLength(2);
});

test.each([
  [{ unusable: 'the store was moved to sweeps' }, 'the store was moved to sweeps'],
  [{ schema: SCHEMA_VERSION + 1 }, 'of a newer trawl'],
])('doctor reports a fault if the store in a database has the properties %o', (change, detail) => {
  const store = { schema: SCHEMA_VERSION, transactions: 7, unusable: undefined, leader: undefined, ...change };
  expect(faults(postgresFindings({ ...FACTS, store }))).toEqual([
    expect.objectContaining({ detail: expect.stringContaining(detail) }),
  ]);
});

test('an empty database is ok, and a server that does not answer is a fault', async () => {
  expect(postgresFindings({ ...FACTS, store: undefined })[1]).toMatchObject({ state: 'ok' });
  expect(faults(await checkPostgres('postgres://trawl@127.0.0.1:1/trawl'))).toEqual([
    expect.objectContaining({ name: 'store', detail: expect.stringContaining('could not reach PostgreSQL') }),
  ]);
});
