import { Metadata } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { MAX_USER, USER_HEADER } from '../../proto/user-header.ts';
import { userOf } from './user.ts';

function call(given: string | undefined, certified?: string) {
  const metadata = new Metadata();
  if (given !== undefined) metadata.set(USER_HEADER, given);
  const sslPeerCertificate = certified === undefined ? undefined : { subject: { CN: certified } };
  return { metadata, getAuthContext: () => ({ sslPeerCertificate }) };
}

test('the user of a call is the name in the certificate or, without a certificate, the name that the client sends', () => {
  expect(userOf(call('root@box', 'ann'))).toBe('ann');
  expect(userOf(call('ann@gpu-1'))).toBe('ann@gpu-1');
  expect(userOf(call(undefined))).toBe('');
});

test('a long user name is truncated', () => {
  expect(userOf(call('x'.repeat(1_000)))).toHaveLength(MAX_USER);
});
