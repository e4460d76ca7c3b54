import { status } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { HashedSecret, hashedBearerToken } from '../../lib/net/secret.ts';
import { admitOwner } from './admit.ts';

const TOKEN = 'k6kyzgIhVdb0l5TgDLXlfu0c3wSLVUUyQqJmdqzFbxM';
const FILE = '/home/ann/sweeps/token';
const method = '/trawl.v1.OperationsService/Prune';

const decide = (authorization: string | undefined) =>
  admitOwner({ method, peer: undefined, token: hashedBearerToken(authorization) }, new HashedSecret(TOKEN), FILE);

test('the token of the owner gives access to every method', () => {
  expect(decide(`Bearer ${TOKEN}`)).toEqual({ admitted: true, caller: { name: 'owner', role: 'owner' } });
});

test.each([undefined, '', 'Bearer', 'Bearer ', TOKEN, `Basic ${TOKEN}`, `Token ${TOKEN}`])(
  'a call with the header %j is rejected, and the message names the token file and both ways to pass the token',
  (authorization) => {
    expect(decide(authorization)).toMatchObject({
      admitted: false,
      reason: 'no_token',
      code: status.UNAUTHENTICATED,
      message: expect.stringMatching(/\/home\/ann\/sweeps\/token.*--token-file.*TRAWL_TOKEN/),
    });
  },
);

test.each([TOKEN.slice(1), `${TOKEN}x`, TOKEN.toLowerCase(), 'x'])('the token %s is rejected', (given) => {
  expect(decide(`Bearer ${given}`)).toMatchObject({
    admitted: false,
    reason: 'wrong_token',
    code: status.UNAUTHENTICATED,
    message: expect.not.stringContaining(TOKEN),
  });
});
