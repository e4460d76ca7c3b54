import { createServer as createHttp } from 'node:http';
import { createServer as createPlainHttp2 } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { Metadata, status } from '@grpc/grpc-js';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { channelTo } from '../../lib/net/channel.ts';
import type { Identity } from '../../lib/net/identity.ts';
import { EXIT, TrawlError, UnreachableError } from '../../proto/errors.ts';
import { SweepServiceClient } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { LEADER_HEADER } from '../../proto/leader-header.ts';
import { createAuthority, issue, type KeyAndCertificate } from '../certs/issue.ts';
import { explainCallError } from './rpc-errors.ts';

let authority: KeyAndCertificate;
let issued: KeyAndCertificate;
beforeAll(async () => {
  authority = await createAuthority(1);
  issued = await issue(authority, { name: 'ann', role: 'coordinator', hosts: ['localhost', '127.0.0.1'] }, 1);
});

const running: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];
afterEach(() => {
  for (const { server, sockets } of running.splice(0)) {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});

async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => {});
    sockets.add(socket);
  });
  running.push({ server, sockets });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Returns the error of a call. @param usesTls whether the client has an identity */
async function failedCall(address: string, usesTls = false, deadlineMs = 3_000): Promise<unknown> {
  const identity: Identity = {
    dir: '',
    name: 'ann',
    role: 'operator',
    authority: Buffer.from(authority.certificate),
    key: Buffer.from(issued.key),
    certificate: Buffer.from(issued.certificate),
    token: 't',
    servers: {},
    expires: Number.MAX_SAFE_INTEGER,
  };
  const channel = channelTo(address, usesTls ? identity : undefined);
  const client = new SweepServiceClient(address, channel.shown, channel.options);
  const error = await new Promise((resolve) =>
    client.listSweeps({}, new Metadata(), { deadline: Date.now() + deadlineMs }, resolve),
  );
  client.close();
  return explainCallError(error, { address, usesTls });
}

const nats = () =>
  createServer((socket) => {
    socket.write('INFO {"server_id":"x"}\r\n');
    socket.once('data', () => socket.end("-ERR 'Unknown Protocol Operation'\r\n"));
  });
const tls = () => createTls({ key: issued.key, cert: issued.certificate }, (socket) => socket.on('error', () => {}));
const asksForCertificate = () =>
  createTls({ key: issued.key, cert: issued.certificate, requestCert: true, rejectUnauthorized: true });

test.each([
  ['a NATS server', nats],
  ['an HTTP server', () => createHttp((_request, response) => response.end('hi'))],
  ['an SSH server', () => createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n'))],
  ['a server that closes every connection', () => createServer((socket) => socket.destroy())],
  ['a server that does not answer', () => createServer(() => {})],
])('if %s listens on the address, the error of a call names this server and the remedy', async (found, create) => {
  const address = await listen(create());
  const error = await failedCall(address, false, 1_000);
  expect(error).toBeInstanceOf(UnreachableError);
  expect(error).toMatchObject({
    message:
      `expected a coordinator at ${address}, but found ${found}; give the coordinator's address with --server ` +
      'HOST:PORT or TRAWL_SERVER (its default port is 7070)',
  });
});

test.each([
  ['TLS', tls],
  ['TLS and a client certificate', asksForCertificate],
])(
  'if a server requires %s, the error of a call without an identity states the cause and the remedy',
  async (_how, create) => {
    const address = await listen(create());
    await expect(failedCall(address)).resolves.toMatchObject({
      exitCode: EXIT.unreachable,
      message:
        `the server at ${address} requires TLS, and no identity was given; if it is a coordinator, pass your identity ` +
        'with --identity DIR or TRAWL_IDENTITY',
    });
  },
);

test('if a server does not use TLS, the error of a call with an identity states the cause and the remedy', async () => {
  const address = await listen(createPlainHttp2());
  await expect(failedCall(address, true)).resolves.toMatchObject({
    exitCode: EXIT.unreachable,
    message: `the server at ${address} does not use TLS, but an identity was given; omit --identity and unset TRAWL_IDENTITY`,
  });
});

test('the error for a certificate of another authority explains the cause', async () => {
  const other = await issue(await createAuthority(1), { name: 'x', role: 'coordinator', hosts: ['localhost'] }, 1);
  const address = await listen(createTls({ key: other.key, cert: other.certificate }));
  await expect(failedCall(address, true)).resolves.toMatchObject({
    exitCode: EXIT.rejected,
    message:
      `the server at ${address} is not the coordinator of this identity: another authority issued its certificate; ` +
      'pass the identity that was issued for this coordinator with --identity DIR',
  });
});

test('the error for a certificate without the host name explains the cause', async () => {
  const named = await issue(
    authority,
    { name: 'x', role: 'coordinator', hosts: ['elsewhere.example.com', 'localhost'] },
    1,
  );
  const address = await listen(createTls({ key: named.key, cert: named.certificate }));
  await expect(failedCall(address, true)).resolves.toMatchObject({
    exitCode: EXIT.rejected,
    message: expect.stringContaining('its certificate does not cover the name in this address'),
  });
});

test('no error quotes the messages of the gRPC library', async () => {
  const gone = createServer();
  const freed = await listen(gone);
  await new Promise((resolve) => gone.close(resolve));
  const addresses = [freed, await listen(nats()), await listen(tls()), await listen(asksForCertificate())];
  for (const address of addresses) {
    for (const usesTls of [false, true]) {
      const error = await failedCall(address, usesTls, 1_000);
      expect(error).toBeInstanceOf(TrawlError);
      expect(String(error)).not.toMatch(
        /resolution note|last error|LB pick|SSL routines|Error: Error|\d{4}-\d\d-\d\dT/i,
      );
    }
  }
});

test('the error of a call to a standby names the leader', async () => {
  const metadata = new Metadata();
  metadata.set(LEADER_HEADER, 'gpu-1:7070');
  const details = 'this coordinator stands by; the coordinator at gpu-1:7070 leads';
  const answer = Object.assign(new Error(details), { code: status.UNAVAILABLE, details, metadata });
  const error = await explainCallError(answer, { address: 'gpu-2:7070', usesTls: false });
  expect(error).toBeInstanceOf(UnreachableError);
  expect(error).toMatchObject({
    message: `the coordinator at gpu-2:7070 does not lead (${details}): retry in a few seconds`,
  });
});
