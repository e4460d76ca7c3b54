/** Connects to the coordinator's port, and sends bytes that are not gRPC calls. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestRandom } from '../support/random.ts';
import { noise } from './values.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const EMPTY_SETTINGS = Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 0, 0);
/** Types of HTTP/2 frames, and a type that does not exist. */
const FRAME_TYPES = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x55];

type Garbage = (random: TestRandom) => Uint8Array;

const frame: Garbage = (random) => {
  const body = noise(random, 60);
  const head = Buffer.alloc(9);
  head.writeUIntBE(random.next() < 0.8 ? body.length : Math.floor(random.next() * 2 ** 24), 0, 3);
  head.writeUInt8(random.pick(FRAME_TYPES), 3);
  head.writeUInt8(Math.floor(random.next() * 256), 4);
  head.writeUInt32BE(random.pick([0, 1, 1, 2, 3, 2 ** 31 - 1]), 5);
  return Buffer.concat([head, body]);
};

const GARBAGE: readonly Garbage[] = [
  (random) => noise(random, 500),
  () => Buffer.from('GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n'),
  (random) => Buffer.concat([Uint8Array.of(0x16, 3, 1, 2, 0), noise(random, 500)]),
  () => PREFACE,
  (random) => PREFACE.subarray(0, Math.floor(random.next() * PREFACE.length)),
  (random) => Buffer.concat([PREFACE, noise(random, 500)]),
  (random) => Buffer.concat([PREFACE, EMPTY_SETTINGS, frame(random), frame(random), frame(random)]),
  (random) => Buffer.concat([PREFACE, EMPTY_SETTINGS, ...Array.from({ length: 200 }, () => frame(random))]),
];

/** Sends garbage, waits a moment, and closes or resets the connection. */
export async function sendGarbage(address: string, random: TestRandom): Promise<void> {
  const [host = '', port] = address.split(':');
  const bytes = random.pick(GARBAGE)(random);
  const resets = random.next() < 0.5;
  const socket: Socket = connect(Number(port), host);
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.resume();
  socket.write(bytes);
  await sleep(30);
  const closed = socket.closed ? undefined : once(socket, 'close');
  if (resets) socket.resetAndDestroy();
  else socket.destroy();
  await closed;
}
