import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { download, sha256, sha256OfFile } from './download.mjs';

let folder: string;
const cleanups: (() => void)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trawl-download-'));
});
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts a server and returns its URL. */
async function serve(handler: RequestListener): Promise<string> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`;
}

test('a file with the expected checksum is kept', async () => {
  const url = await serve((_request, response) => response.end('content'));
  const path = join(folder, 'file');
  await download(url, path, sha256('con', 'tent'));
  expect(readFileSync(path, 'utf8')).toBe('content');
  expect(await sha256OfFile(path)).toBe(sha256('content'));
});

test('a file whose checksum does not match is removed', async () => {
  const url = await serve((_request, response) => response.end('content'));
  const path = join(folder, 'file');
  await expect(download(url, path, '0'.repeat(64))).rejects.toThrow(/has SHA-256 [0-9a-f]{64}, expected 0{64}/);
  expect(existsSync(path)).toBe(false);
});

test('a download is retried if the server is overloaded or the transfer is interrupted', async () => {
  let requests = 0;
  const url = await serve((_request, response) => {
    requests++;
    if (requests === 1) response.writeHead(503).end();
    else if (requests === 2) {
      response.writeHead(200, { 'content-length': '7' }).write('con');
      setTimeout(() => response.destroy(), 50);
    } else response.end('content');
  });
  await download(url, join(folder, 'file'), sha256('content'));
  expect(requests).toBe(3);
});

test('the download of a missing file is not retried', async () => {
  let requests = 0;
  const url = await serve((_request, response) => {
    requests++;
    response.writeHead(404).end();
  });
  await expect(download(url, join(folder, 'file'), '')).rejects.toThrow(`could not fetch ${url} (HTTP 404)`);
  expect(requests).toBe(1);
});

test('an unreachable host is reported with the reason', async () => {
  await expect(download('http://127.0.0.1:1/file', join(folder, 'file'), '')).rejects.toThrow(
    /could not fetch http:\/\/127\.0\.0\.1:1\/file \(.+\)/,
  );
});
