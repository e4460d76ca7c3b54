import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Server } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { UnreachableError } from '../../proto/errors.ts';
import { MAX_REJECTED_CALLS } from './limits.ts';
import { type ListenerOptions, listen } from './listener.ts';
import { newServer } from './server.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };

async function open(options: ListenerOptions = {}, server: Server = newServer()) {
  const listener = await listen(server, LOOPBACK, options);
  onTestFinished(() => {
    server.forceShutdown();
    listener.close();
  });
  return listener;
}

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket.resume();
}

test('a connection over the limit is closed immediately, and each closed connection makes room for a new one', async () => {
  let full = 0;
  const { port } = await open({
    maxConnections: 2,
    onFull: () => {
      full += 1;
    },
  });
  const [first] = [await dial(port), await dial(port)];
  const third = await dial(port);
  await once(third, 'close');
  expect(full).toBe(1);
  first.destroy();
  await once(first, 'close');
  await expect
    .poll(async () => {
      const next = await dial(port);
      const data = once(next, 'data').then(() => 'taken');
      return Promise.race([data, once(next, 'close').then(() => 'closed')]);
    })
    .toBe('taken');
});

test('at the limit, a new connection replaces an unauthenticated connection, but never an authenticated connection', async () => {
  const full: string[] = [];
  const listener = await open({ maxConnections: 3, authenticatesCalls: true, onFull: (from) => full.push(from) });
  const peerOf = (socket: Socket) => `127.0.0.1:${socket.localPort}`;
  const [known, older, newer] = [await dial(listener.port), await dial(listener.port), await dial(listener.port)];
  listener.authenticated(peerOf(known));
  const olderClosed = once(older, 'close');
  const fourth = await dial(listener.port);
  await olderClosed;
  for (const socket of [newer, fourth]) listener.authenticated(peerOf(socket));
  const fifth = await dial(listener.port);
  const fifthPeer = peerOf(fifth);
  await once(fifth, 'close');
  expect(full).toEqual([expect.stringContaining('127.0.0.1:'), fifthPeer]);
  expect([known, newer, fourth].map(({ closed }) => closed)).toEqual([false, false, false]);
});

test('a connection is closed after the maximum number of rejected calls, unless one of its calls was authenticated', async () => {
  const listener = await open({ authenticatesCalls: true });
  const [known, unknown] = [await dial(listener.port), await dial(listener.port)];
  const peerOf = (socket: Socket) => `127.0.0.1:${socket.localPort}`;
  listener.authenticated(peerOf(known));
  const closed = once(unknown, 'close');
  for (const socket of [known, unknown]) {
    for (let call = 1; call < MAX_REJECTED_CALLS; call++) listener.rejected(peerOf(socket));
  }
  expect([known, unknown].map(({ closed: isClosed }) => isClosed)).toEqual([false, false]);
  for (const socket of [known, unknown]) listener.rejected(peerOf(socket));
  await closed;
  expect(known.closed).toBe(false);
});

test('a connection whose client sends nothing is closed', async () => {
  const { port } = await open({}, newServer([], undefined, { everyMs: 50, waitMs: 50 }));
  const silent = await dial(port);
  await once(silent, 'close');
});

test('closing the listener ends every connection, even a connection that has sent no data', async () => {
  const listener = await open();
  const socket = await dial(listener.port);
  const closed = once(socket, 'close');
  listener.close();
  await closed;
});

test('if an address is already in use, the error names it', async () => {
  const { port } = await open();
  const second = listen(newServer(), { host: '127.0.0.1', port });
  await expect(second).rejects.toThrow(UnreachableError);
  await expect(second).rejects.toThrow(`127.0.0.1:${port}`);
});
