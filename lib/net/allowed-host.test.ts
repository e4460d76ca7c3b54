import { expect, test } from 'vitest';
import { hostOf, isAllowedHost } from './allowed-host.ts';

const at = (host: string, names: readonly string[] = []) => {
  return { listen: { host, port: 9464 }, hostname: 'Head.lan', names };
};

test.each([
  ['localhost:9464', 'localhost'],
  ['Head.lan', 'head.lan'],
  ['head.lan.:1', 'head.lan'],
  ['[::1]:9464', '::1'],
  ['127.0.0.1', '127.0.0.1'],
])('the host in the Host header %s is %s', (header, host) => {
  expect(hostOf(header)).toBe(host);
});

test.each(['', ':9464', 'a b', 'a@b', 'http://a', '[::1', 'a:b', 'a/b', 'a:1:2'])(
  'the Host header %j is malformed',
  (header) => {
    expect(hostOf(header)).toBeUndefined();
    expect(isAllowedHost(header, at('0.0.0.0', [header]))).toBe(false);
  },
);

test('a server on the loopback accepts only names and addresses of the loopback', () => {
  for (const header of ['127.0.0.1:9464', 'localhost', '[::1]:1', 'LOCALHOST:80']) {
    expect(isAllowedHost(header, at('127.0.0.1'))).toBe(true);
  }
  for (const header of [
    undefined,
    'evil.example',
    '127.0.0.1.evil.example',
    'localhost.evil',
    '10.0.0.1',
    'head.lan',
  ]) {
    expect(isAllowedHost(header, at('127.0.0.1'))).toBe(false);
  }
});

test('a server on all addresses accepts each of its addresses, localhost and the name of the machine', () => {
  for (const listen of ['0.0.0.0', '[::]']) {
    for (const header of ['10.0.0.1:9464', '[fe80::1]', 'localhost:9464', 'head.lan:9464', 'HEAD.LAN']) {
      expect(isAllowedHost(header, at(listen))).toBe(true);
    }
    for (const header of ['evil.example', 'head', 'head.lan.evil.example', undefined]) {
      expect(isAllowedHost(header, at(listen))).toBe(false);
    }
  }
});

test('a server that listens on one address or name accepts this address or name, the name of the machine, and the allowed names', () => {
  expect(isAllowedHost('10.0.0.1:9464', at('10.0.0.1'))).toBe(true);
  expect(isAllowedHost('10.0.0.2:9464', at('10.0.0.1'))).toBe(false);
  expect(isAllowedHost('Head.lan', at('10.0.0.1'))).toBe(true);
  expect(isAllowedHost('trawl.svc:80', at('10.0.0.1'))).toBe(false);
  expect(isAllowedHost('trawl.svc:80', at('10.0.0.1', ['other', 'Trawl.svc']))).toBe(true);
  expect(isAllowedHost('metrics:1', at('metrics'))).toBe(true);
});
