import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Server } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { UnreachableError } from '../../proto/errors.ts';
import { type DoorOptions, openDoor } from './door.ts';
import { newServer } from './server.ts';

const LOOPBACK = { host: '127.0.0.1', port: 0 };

async function open(options: DoorOptions = {}, server: Server = newServer()) {
  const door = await openDoor(server, LOOPBACK, options);
  onTestFinished(() => {
    server.forceShutdown();
    door.close();
  });
  return door;
}

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket.resume();
}

test('a connection too many is closed at once, and one that ended makes room', async () => {
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
  // The server hears of the end a little later.
  await expect
    .poll(async () => {
      const next = await dial(port);
      const data = once(next, 'data').then(() => 'taken');
      return Promise.race([data, once(next, 'close').then(() => 'closed')]);
    })
    .toBe('taken');
});

test('a client that connects and says nothing is closed', async () => {
  const { port } = await open({}, newServer([], undefined, { everyMs: 50, waitMs: 50 }));
  const silent = await dial(port);
  await once(silent, 'close');
});

test('closing the door ends what is open, also before its first word', async () => {
  const door = await open();
  const socket = await dial(door.port);
  const closed = once(socket, 'close');
  door.close();
  await closed;
});

test('an address that is taken is refused by name', async () => {
  const { port } = await open();
  const second = openDoor(newServer(), { host: '127.0.0.1', port });
  await expect(second).rejects.toThrow(UnreachableError);
  await expect(second).rejects.toThrow(`127.0.0.1:${port}`);
});
