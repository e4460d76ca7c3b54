import { expect, test, vi } from 'vitest';
import { terminateSession } from './session.ts';

test.each([
  ['ended at its server', 'postgres://u@a/trawl', [[7]]],
  [
    'not ended if another server is the primary now, because its process with this id may serve a different session',
    'postgres://u@b/trawl',
    [],
  ],
])('a session is %s', async (_, primary, ended) => {
  const query = vi.fn();
  await terminateSession(
    { url: new URL(primary), client: { query } },
    { url: new URL('postgres://u@a/trawl'), pid: 7 },
  );
  expect(query.mock.calls.map(([, parameters]) => parameters)).toEqual(ended);
});
