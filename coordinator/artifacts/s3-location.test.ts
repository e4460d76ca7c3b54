import { expect, test } from 'vitest';
import { BadInputError } from '../../proto/errors.ts';
import { parseS3Location, s3Place } from './s3-location.ts';

test('a location has a bucket, a prefix and parameters', () => {
  expect(parseS3Location('s3://sweeps')).toEqual({
    bucket: 'sweeps',
    prefix: '',
    endpoint: undefined,
    region: undefined,
    pathStyle: false,
    direct: true,
    quotaBytes: undefined,
  });
  expect(
    parseS3Location('s3://sweeps/team/a/?endpoint=https://s3.example:9000&region=eu-1&direct=false&quota=2GiB'),
  ).toEqual({
    bucket: 'sweeps',
    prefix: 'team/a/',
    endpoint: 'https://s3.example:9000',
    region: 'eu-1',
    pathStyle: true,
    direct: false,
    quotaBytes: 2 ** 31,
  });
});

test('direct transfers are off by default if the endpoint is a loopback address', () => {
  expect(parseS3Location('s3://sweeps?endpoint=http://127.0.0.1:9000').direct).toBe(false);
  expect(parseS3Location('s3://sweeps?endpoint=http://localhost:9000').direct).toBe(false);
  expect(parseS3Location('s3://sweeps?endpoint=http://[::1]:9000').direct).toBe(false);
  expect(parseS3Location('s3://sweeps?endpoint=http://127.0.0.1:9000&direct=true').direct).toBe(true);
  expect(parseS3Location('s3://sweeps?endpoint=http://10.0.0.7:9000').direct).toBe(true);
});

test('locations with the same bucket and prefix are the same place, whatever their parameters', () => {
  const place = (text: string) => s3Place(parseS3Location(text));
  expect(place('s3://sweeps/a')).toBe('s3://sweeps/a/');
  expect(place('s3://sweeps/a/?region=x&path-style=true')).toBe('s3://sweeps/a/');
  expect(place('s3://sweeps/b')).not.toBe(place('s3://sweeps/a'));
});

test.each([
  ['/data', 'does not begin with s3://'],
  ['s3://', 'is not a valid name of a bucket'],
  ['s3://a', 'is not a valid name of a bucket'],
  ['s3://key:secret@bucket/x', 'credentials, which belong in AWS_ACCESS_KEY_ID'],
  ['s3://bucket/../x', 'the prefix "../x"'],
  ['s3://bucket/a//b', 'the prefix "a//b"'],
  ['s3://bucket?endpiont=http://x', 'unknown parameter "endpiont"; did you mean "endpoint"?'],
  ['s3://bucket?endpoint=s3.example', 'endpoint must be a URL'],
  ['s3://bucket?endpoint=http://u:p@s3.example', 'without a user name or password'],
  ['s3://bucket?path-style=yes', 'path-style must be true or false'],
  ['s3://bucket?quota=lots', 'quota must be a size such as 500GiB'],
])('the location %s is rejected: %s', (text, reason) => {
  expect(() => parseS3Location(text)).toThrow(BadInputError);
  expect(() => parseS3Location(text)).toThrow(reason);
  expect(() => parseS3Location(text)).toThrow('expected s3://BUCKET/PREFIX');
});
