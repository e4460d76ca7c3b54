import { afterEach, expect, test, vi } from 'vitest';
import { natsUrls, parseAddress, parseServers } from './address.ts';

afterEach(() => void vi.unstubAllEnvs());

test.each([
  'nats://127.0.0.1:4222',
  'tls://a.example:4222,tls://b.example:4222, tls://[fe80::1]:4222',
  'head',
  'head:65535',
  'nats://user:pass@head:4222/',
  'wss://nats.example:443',
])('--nats %s is accepted', (urls) => {
  expect(natsUrls(urls)).toBe(urls);
});

test.each([
  '',
  ',',
  'nats://',
  'head:0',
  'head:65536',
  'nats://head:999999',
  'http://head:80',
  'a:1,b:x',
  'a b',
  'nats://head:-1',
])('--nats %j is rejected', (urls) => {
  expect(() => natsUrls(urls)).toThrow(/^--nats is ".*": expected URLs such as nats:\/\/127\.0\.0\.1:4222/);
});

test('TRAWL_NATS is the default of --nats, and errors do not show passwords', () => {
  vi.stubEnv('TRAWL_NATS', '');
  expect(natsUrls(undefined)).toBeUndefined();
  vi.stubEnv('TRAWL_NATS', 'nats://ann:secret@head:99999');
  expect(() => natsUrls(undefined)).toThrow(/^TRAWL_NATS is "nats:\/\/head:99999"/);
  expect(natsUrls('other')).toBe('other');
});

test.each(['h:0', 'h:65536', 'h:1e3', 'h', ':1', 'h:', 'h:1.5', 'h:-1', '[::1]', 'a/b:1'])(
  'the coordinator address %j is rejected',
  (text) => {
    expect(() => parseAddress(text, '--server')).toThrow(`--server is ${JSON.stringify(text)}: expected HOST:PORT`);
  },
);

test('--server accepts several addresses, and the error names the invalid address', () => {
  expect(parseServers('a:1', '--server')).toEqual(['a:1']);
  expect(parseServers('a:1, b:2,a:1', '--server')).toEqual(['a:1', 'b:2']);
  expect(() => parseServers('a:1,b', '--server')).toThrow('--server is "b": expected HOST:PORT');
  expect(() => parseServers('a:1,', '--server')).toThrow('--server is "": expected HOST:PORT');
});
