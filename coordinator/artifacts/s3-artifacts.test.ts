import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DamagedError, NoSpaceError, NotFoundError, RejectedError } from '../../proto/errors.ts';
import { chooseLocation, standbyArtifactsProblem } from './open-artifacts.ts';
import { conflictingName, parseObjectKey } from './s3-artifacts.ts';
import { PART_BYTES, piecesOf } from './s3-bucket.ts';
import { explainS3Error, S3UnavailableError } from './s3-errors.ts';

test('the parts of a file cover it without gaps, and each part except the last has the full size', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 30 }), (size) => {
      const pieces = piecesOf(size);
      expect(pieces.reduce((sum, piece) => sum + piece.size, 0)).toBe(size);
      for (const [index, { number, start, size: bytes }] of pieces.entries()) {
        expect([number, start]).toEqual([index + 1, index * PART_BYTES]);
        if (number < pieces.length) expect(bytes).toBe(PART_BYTES);
      }
      expect(pieces.length).toBeLessThanOrEqual(64);
    }),
  );
});

test('the key of an object names its attempt, its artifact and its checksum', () => {
  const sha256 = 'a'.repeat(64);
  expect(parseObjectKey(`3/t1/2/folder/file.bin/${sha256}`)).toEqual({
    key: { sweepId: '3', trialId: 't1', attempt: 2 },
    name: 'folder/file.bin',
    sha256,
  });
  for (const other of ['.check', `3/t1/2/${sha256}`, `x/t1/2/file/${sha256}`, '3/t1/2/file/short']) {
    expect(parseObjectKey(other)).toBeUndefined();
  }
});

test('a name conflicts with another name that uses it as a folder', () => {
  expect(conflictingName(['a/b'], 'a')).toBe('a/b');
  expect(conflictingName(['a'], 'a/b')).toBe('a');
  expect(conflictingName(['a', 'ab/c'], 'a')).toBeUndefined();
  expect(conflictingName(['a/b', 'a/bc'], 'a/c')).toBeUndefined();
});

const failure = (name: string, httpStatusCode?: number) =>
  Object.assign(new Error('x'), { name, $metadata: { httpStatusCode } });
const explained = (error: unknown) => explainS3Error(error, 'could not store x', 's3://b/ at http://s3.example');

test.each([
  [failure('NoSuchBucket', 404), 'the bucket does not exist: create it, or correct the location'],
  [failure('InvalidAccessKeyId', 403), 'check AWS_ACCESS_KEY_ID'],
  [failure('SignatureDoesNotMatch', 403), 'check AWS_SECRET_ACCESS_KEY'],
  [failure('AccessDenied', 403), 'must permit reading, writing, listing and deleting'],
  [failure('Forbidden', 403), 'must permit reading, writing, listing and deleting'],
  [failure('ExpiredToken', 400), 'renew AWS_SESSION_TOKEN'],
  [failure('RequestTimeTooSkewed', 403), 'synchronize both with NTP'],
  [failure('XAdminUserNotFound', 404), 'check the credentials, the bucket and the endpoint (XAdminUserNotFound)'],
  [failure('CredentialsProviderError'), 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'],
])('an error that only a person can correct is explained: %s', (error, advice) => {
  const found = explained(error);
  expect(found).toBeInstanceOf(S3UnavailableError);
  expect(found).toMatchObject({ needsPerson: true });
  expect(found.message).toContain('could not store x in s3://b/ at http://s3.example: ');
  expect(found.message).toContain(advice);
});

test('if the server is overloaded, failing or unreachable, no person needs to act; full storage, damaged data and missing objects have their own error types', () => {
  for (const error of [
    failure('SlowDown', 503),
    failure('InternalError', 500),
    Object.assign(new Error('x'), { code: 'ECONNREFUSED' }),
  ]) {
    expect(explained(error)).toMatchObject({ needsPerson: false });
  }
  expect(explained(failure('SlowDown', 503)).message).toContain('the server is overloaded (503)');
  expect(explained(Object.assign(new Error('x'), { code: 'ECONNREFUSED' })).message).toContain(
    'could not be reached (ECONNREFUSED)',
  );
  expect(explained(failure('QuotaExceeded', 403))).toBeInstanceOf(NoSpaceError);
  expect(explained(failure('XMinioStorageFull', 507))).toBeInstanceOf(NoSpaceError);
  expect(explained(failure('BadDigest', 400))).toBeInstanceOf(DamagedError);
  expect(explained(failure('NoSuchKey', 404))).toBeInstanceOf(NotFoundError);
});

test('a store with artifacts accepts only its own bucket and prefix, and a store without artifacts accepts any location', () => {
  expect(chooseLocation(undefined, undefined, 3)).toBeUndefined();
  expect(chooseLocation(undefined, 's3://bucket/a', 3)).toBe('s3://bucket/a');
  expect(chooseLocation('s3://bucket/a?region=x', 's3://bucket/a', 3)).toBe('s3://bucket/a?region=x');
  expect(chooseLocation('s3://bucket/a', undefined, 0)).toBe('s3://bucket/a');
  expect(() => chooseLocation('s3://bucket/a', undefined, 3)).toThrow(RejectedError);
  expect(() => chooseLocation('s3://bucket/a', undefined, 3)).toThrow(
    "3 artifacts of this store are in the coordinator's folder",
  );
  expect(() => chooseLocation('s3://bucket/b', 's3://bucket/a', 1)).toThrow('pass --artifacts s3://bucket/a');
});

test.each([
  [undefined, undefined, /^artifacts are in the data folder of the coordinator at a:1, so they would be missing/],
  [undefined, 's3://bucket/a', undefined],
  ['s3://bucket/a?region=x', 's3://bucket/a', undefined],
  [
    's3://bucket/a',
    undefined,
    /^artifacts are in the data folder of the coordinator at a:1, but .* s3:\/\/bucket\/a\//,
  ],
  ['s3://bucket/a', 's3://bucket/b', /^the coordinator at a:1 keeps artifacts in s3:\/\/bucket\/b\/, but/],
])(
  'a standby must have access to the artifacts of the leader: standby with --artifacts %s, leader with %s',
  (requested, recorded, problem) => {
    const found = standbyArtifactsProblem(requested, recorded, 'a:1');
    if (problem === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(problem);
  },
);
