import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { Registry } from 'prom-client';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { serveOperatorPages } from './http.ts';

let port: number;
let rejected: string[];

beforeEach(async () => {
  rejected = [];
  const pages = { registry: new Registry(), measure: () => {}, unready: () => undefined, json: { '/sd': () => [] } };
  const served = await serveOperatorPages(
    pages,
    { host: '127.0.0.1', port: 0 },
    { hosts: ['trawl.svc'], onRejected: (_, why) => rejected.push(why) },
  );
  onTestFinished(() => served.stop());
  port = served.address.port;
});

function call(method: string, path: string, host = `127.0.0.1:${port}`) {
  return new Promise<{ code: number | undefined; allow: string | undefined; text: string }>((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method, path, headers: { host } };
    request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ code: response.statusCode, allow: response.headers.allow, text }));
    })
      .on('error', reject)
      .end();
  });
}

test.each(['/metrics', '/sd', '/healthz', '/readyz'])('%s answers GET and HEAD only', async (path) => {
  expect((await call('GET', path)).code).toBe(200);
  expect(await call('HEAD', path)).toMatchObject({ code: 200, text: '' });
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND']) {
    expect(await call(method, path)).toMatchObject({ code: 405, allow: 'GET, HEAD' });
  }
});

test.each(['/metrics', '/sd', '/other'])(
  '%s rejects an unknown Host header, and accepts an allowed Host header',
  async (path) => {
    const code = path === '/other' ? 404 : 200;
    for (const host of ['localhost', '127.0.0.1:1', 'trawl.svc:80'])
      expect((await call('GET', path, host)).code).toBe(code);
    expect(rejected).toEqual([]);
    for (const host of ['evil.example', `127.0.0.1.evil.example:${port}`, 'trawl.svc.evil.example']) {
      expect(await call('GET', path, host)).toMatchObject({
        code: 403,
        text: expect.stringContaining('--metrics-host'),
      });
    }
    expect(rejected).toHaveLength(3);
  },
);

test('a request with several Host headers is rejected, even if one of them is allowed', async () => {
  const own = `Host: 127.0.0.1:${port}\r\n`;
  for (const hosts of [`${own}Host: evil.example\r\n`, `Host: evil.example\r\n${own}`, own + own]) {
    const socket = connect(port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.write(`GET /metrics HTTP/1.1\r\n${hosts}\r\n`);
    const [answer] = await once(socket, 'data');
    expect(`${answer}`).toMatch(/^HTTP\/1.1 403 /);
  }
});

test('probes can read /healthz and /readyz with any Host header', async () => {
  expect((await call('GET', '/healthz', 'probe')).code).toBe(200);
  expect((await call('GET', '/readyz', 'probe')).code).toBe(200);
});

test.each<[string, string]>([
  ['nothing', ''],
  ['half a request', 'GET /metrics HTTP/1.1\r\nHost: loc'],
  ['a request line', 'GET /healthz HTTP/1.1\r\n'],
])('connections with an incomplete request (%s) do not block other clients', async (_, text) => {
  for (let at = 0; at < 200; at++) {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    onTestFinished(() => void socket.destroy());
    await once(socket, 'connect');
    socket.write(text);
  }
  const begun = performance.now();
  for (const path of ['/healthz', '/readyz', '/metrics', '/sd']) expect((await call('GET', path)).code).toBe(200);
  expect(performance.now() - begun).toBeLessThan(5_000);
});

test('if a token is required, only callers with the token can read the pages and the reason in /readyz', async () => {
  const token = 'a-token-of-the-owner';
  const pages = {
    registry: new Registry(),
    measure: () => {},
    unready: () => 'NATS is gone',
    json: { '/sd': () => [] },
  };
  const served = await serveOperatorPages(
    pages,
    { host: '127.0.0.1', port: 0 },
    { auth: { token, file: '/data/token' }, onRejected: (_, why) => rejected.push(why) },
  );
  onTestFinished(() => served.stop());
  const get = async (path: string, authorization?: string) => {
    const headers = new Headers(authorization === undefined ? [] : [['authorization', authorization]]);
    const response = await fetch(`http://127.0.0.1:${served.address.port}${path}`, { headers });
    return { code: response.status, text: await response.text(), scheme: response.headers.get('www-authenticate') };
  };
  for (const path of ['/metrics', '/sd', '/other']) {
    for (const wrong of [undefined, '', 'Bearer', 'Bearer other', `Bearer ${token}x`, `Bearer x ${token}`, token]) {
      const answer = await get(path, wrong);
      expect(answer).toMatchObject({ code: 401, scheme: 'Bearer realm="trawl"' });
      expect(answer.text).toContain('/data/token');
    }
    const basic = Buffer.from(`trawl:${token}`).toString('base64');
    expect((await get(path, `Basic ${basic}`)).code).toBe(401);
    expect((await get(path, `Bearer ${token}`)).code).toBe(path === '/other' ? 404 : 200);
  }
  expect(await get('/healthz')).toMatchObject({ code: 200 });
  expect(await get('/readyz')).toMatchObject({ code: 503, text: 'not ready\n' });
  expect(await get('/readyz', 'Bearer other')).toMatchObject({ code: 503, text: 'not ready\n' });
  expect(await get('/readyz', `Bearer ${token}`)).toMatchObject({ code: 503, text: 'NATS is gone\n' });
});

test('/leader shows without a token only whether the process leads; a process without leadership has no such page', async () => {
  expect((await call('GET', '/leader')).code).toBe(404);
  let leader: string | undefined = 'gpu-1:7070 leads';
  const pages = { registry: new Registry(), measure: () => {}, unready: () => undefined, standby: () => leader };
  const token = 'a-token-of-the-owner';
  const served = await serveOperatorPages(
    pages,
    { host: '127.0.0.1', port: 0 },
    { auth: { token, file: '/data/token' }, onRejected: (_, why) => rejected.push(why) },
  );
  onTestFinished(() => served.stop());
  const get = async (headers: Record<string, string> = {}) => {
    const response = await fetch(`http://127.0.0.1:${served.address.port}/leader`, { headers });
    return { code: response.status, text: await response.text() };
  };
  expect(await get()).toEqual({ code: 503, text: 'does not lead\n' });
  expect(await get({ authorization: `Bearer ${token}` })).toEqual({ code: 503, text: 'gpu-1:7070 leads\n' });
  leader = undefined;
  expect(await get()).toEqual({ code: 200, text: 'leads\n' });
});
