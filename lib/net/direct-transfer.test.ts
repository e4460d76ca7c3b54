import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import { sha256Of } from '../files/checksum.ts';
import { DirectPath, DirectTransferError, readDirectly, sendDirectly } from './direct-transfer.ts';

/** The secret part of every URL in this file. No error may contain it. */
const SECRET = 'X-Amz-Signature=0123456789abcdef';
/** The content of a file. It is larger than the buffers of a socket, so a sender must wait for the receiver to read. */
const BYTES = randomBytes(8 * 2 ** 20);
const MIB = 2 ** 20;
/** The idle time after which a transfer fails. It is longer than any pause of a loaded machine. */
const IDLE_MS = 20_000;
/** A shorter idle time, for tests in which the server sends nothing. */
const SHORT_IDLE_MS = 300;

type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** Starts an HTTP server, and returns the presigned URL of one object on it. */
async function serve(handler: Handler): Promise<string> {
  const server = createServer(async (request, response) => {
    try {
      await handler(request, response);
    } catch {
      // The client has closed the connection.
      response.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/bucket/object?${SECRET}`;
}

function reject(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>x</Message></Error>`);
}

/** Answers a GET as an object store does, ranges included. */
const serveObject: Handler = ({ headers }, response) => {
  const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
  const range = { 'content-range': `bytes ${start}-${BYTES.byteLength - 1}/${BYTES.byteLength}` };
  response.writeHead(headers.range === undefined ? 200 : 206, {
    'content-length': BYTES.byteLength - start,
    ...(headers.range === undefined ? {} : range),
  });
  response.end(BYTES.subarray(start));
};

/** Stores the body of each PUT, as an object store does. Rejects a body that does not match the announced checksum. */
function acceptObject(stored: Buffer[]): Handler {
  return async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const announced = request.headers['x-amz-checksum-sha256'];
    if (announced !== undefined && announced !== sha256Of(body)) return reject(response, 400, 'BadDigest');
    stored.push(body);
    response.end();
  };
}

function fileOf(bytes: Uint8Array): string {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-direct-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, 'file');
  writeFileSync(path, bytes);
  return path;
}

const send = (
  path: string,
  part: { url: string; start?: number; size: number; headers?: Record<string, string> },
  {
    onSent = () => {},
    signal = new AbortController().signal,
    idleMs = IDLE_MS,
  }: { onSent?: (n: number) => void; signal?: AbortSignal; idleMs?: number } = {},
) =>
  sendDirectly(
    path,
    { start: 0, headers: { 'content-length': `${part.size}`, ...part.headers }, ...part },
    { onSent, signal, idleMs },
  );

/** Reads until the end or an error, and returns the received bytes and the error. */
async function received(url: string, offset = 0, idleMs = IDLE_MS): Promise<{ bytes: Buffer; error: unknown }> {
  const chunks: Buffer[] = [];
  let error: unknown;
  try {
    for await (const chunk of readDirectly(url, offset, { idleMs })) chunks.push(chunk);
  } catch (caught) {
    error = caught;
  }
  return { bytes: Buffer.concat(chunks), error };
}

function expectFailure(error: unknown, message: string): void {
  expect(error).toBeInstanceOf(DirectTransferError);
  expect((error as Error).message).toContain(message);
  expect((error as Error).message).not.toContain(SECRET);
}

const failureOf = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

test('a file is read from its start or from an offset', async () => {
  const url = await serve(serveObject);
  expect((await received(url)).bytes.equals(BYTES)).toBe(true);
  expect((await received(url, 5)).bytes.equals(BYTES.subarray(5))).toBe(true);
});

test('a truncated body is an error, and a second read that starts where the first ended completes the file', async () => {
  const url = await serve((request, response) => {
    if (request.headers.range !== undefined) return serveObject(request, response);
    response.writeHead(200, { 'content-length': BYTES.byteLength });
    response.write(BYTES.subarray(0, MIB), () => response.destroy());
  });
  const first = await received(url);
  expectFailure(first.error, 'could not transfer a file directly to or from 127.0.0.1:');
  expect(first.bytes.byteLength).toBeGreaterThan(0);
  const rest = await received(url, first.bytes.byteLength);
  expect(rest.error).toBeUndefined();
  expect(sha256Of(Buffer.concat([first.bytes, rest.bytes]))).toBe(sha256Of(BYTES));
});

test('a read from an offset fails if the server ignores the range and sends the whole file', async () => {
  const url = await serve((_, response) => void response.end(BYTES));
  const { bytes, error } = await received(url, MIB);
  expectFailure(error, 'the artifact store rejected a presigned request (200)');
  expect(bytes.byteLength).toBe(0);
});

test('an expired URL is rejected with the reason of the store, for reads and for uploads', async () => {
  const url = await serve((request, response) => {
    request.resume();
    reject(response, 403, 'AccessDenied');
  });
  const reason = 'the artifact store rejected a presigned request (AccessDenied)';
  expectFailure((await received(url)).error, reason);
  expectFailure(await failureOf(send(fileOf(Buffer.from('x')), { url, size: 1 })), reason);
});

test('a truncated error response is a failed transfer', async () => {
  const url = await serve((request, response) => {
    request.resume();
    response.writeHead(403, { 'content-length': 1_000 });
    response.write('<Error>', () => response.destroy());
  });
  expectFailure((await received(url)).error, 'could not transfer a file directly');
  expectFailure(
    await failureOf(send(fileOf(Buffer.from('x')), { url, size: 1 })),
    'could not transfer a file directly',
  );
});

test('an upload sends only the given part of the file, with the given headers, and reports each sent byte', async () => {
  const stored: Buffer[] = [];
  const url = await serve(acceptObject(stored));
  const path = fileOf(BYTES);
  const part = BYTES.subarray(MIB, 3 * MIB);
  let sent = 0;
  const onSent = (bytes: number) => {
    sent += bytes;
  };
  const headers = { 'x-amz-checksum-sha256': sha256Of(part) };
  await send(path, { url, start: MIB, size: 2 * MIB, headers }, { onSent });
  expect(stored.map((body) => body.equals(part))).toEqual([true]);
  expect(sent).toBe(2 * MIB);
  await send(path, { url, size: 0 });
  expect(stored.at(-1)).toEqual(Buffer.alloc(0));
});

test('a file that does not have the signed checksum is rejected by the store', async () => {
  const stored: Buffer[] = [];
  const url = await serve(acceptObject(stored));
  const headers = { 'x-amz-checksum-sha256': sha256Of('announced') };
  const error = await failureOf(send(fileOf(Buffer.from('different')), { url, size: 9, headers }));
  expectFailure(error, 'the artifact store rejected a presigned request (BadDigest)');
  expect(stored).toEqual([]);
});

test('a file that is shorter than announced, or missing, is not stored', async () => {
  const stored: Buffer[] = [];
  const url = await serve(acceptObject(stored));
  const path = fileOf(Buffer.from('short'));
  expectFailure(await failureOf(send(path, { url, size: 6 })), `the file ${path} is shorter than announced`);
  expect(await failureOf(send(`${path}-absent`, { url, size: 6 }))).toMatchObject({ code: 'ENOENT' });
  expect(stored).toEqual([]);
});

test.each(['close', 'keep-alive'])(
  'if the store rejects an upload before reading the file, the error contains the reason that the store gives (%s)',
  async (connection) => {
    const url = await serve((_, response) => {
      response.setHeader('connection', connection);
      reject(response, 403, 'QuotaExceeded');
    });
    const error = await failureOf(send(fileOf(BYTES), { url, size: BYTES.byteLength }));
    expectFailure(error, 'the artifact store rejected a presigned request (QuotaExceeded)');
  },
);

test('a transfer fails after the idle time if the server accepts the connection and sends nothing', async () => {
  const silent = await serve(() => {});
  const reason = 'no data for 0.3 s';
  expectFailure((await received(silent, 0, SHORT_IDLE_MS)).error, reason);
  const sent = send(fileOf(BYTES), { url: silent, size: BYTES.byteLength }, { idleMs: SHORT_IDLE_MS });
  expectFailure(await failureOf(sent), reason);
  const stalled = await serve((_, response) => {
    response.writeHead(200, { 'content-length': BYTES.byteLength });
    response.write('x');
  });
  const { bytes, error } = await received(stalled, 0, SHORT_IDLE_MS);
  expectFailure(error, reason);
  expect(bytes.byteLength).toBe(1);
});

test('a slow server that keeps sending is read to the end, however long the transfer takes', async () => {
  const url = await serve(async (_, response) => {
    for (let chunk = 0; chunk < 6; chunk++) {
      response.write(`${chunk}`);
      await sleep(250);
    }
    response.end();
  });
  const { bytes, error } = await received(url, 0, 1_200);
  expect([`${bytes}`, error]).toEqual(['012345', undefined]);
});

test('a transfer ends when its caller aborts it', async () => {
  const controller = new AbortController();
  const url = await serve(() => controller.abort());
  const read = readDirectly(url, 0, { signal: controller.signal }).next();
  expectFailure(await failureOf(read), 'ABORT_ERR');
  const sent = send(fileOf(BYTES), { url, size: BYTES.byteLength }, { signal: controller.signal });
  expectFailure(await failureOf(sent), 'ABORT_ERR');
});

test('after a failed read, no direct transfer is attempted for five minutes', async () => {
  const url = await serve(serveObject);
  const path = new DirectPath();
  for await (const _ of path.read(url));
  expect(path.isOpen).toBe(true);
  const refused = `http://127.0.0.1:1/bucket/object?${SECRET}`;
  expectFailure(await failureOf(path.read(refused).next()), '127.0.0.1:1: ECONNREFUSED');
  expect(path.isOpen).toBe(false);
  const now = performance.now();
  const clock = vi.spyOn(performance, 'now');
  onTestFinished(() => clock.mockRestore());
  clock.mockReturnValue(now + 4 * 60_000);
  expect(path.isOpen).toBe(false);
  clock.mockReturnValue(now + 6 * 60_000);
  expect(path.isOpen).toBe(true);
});
