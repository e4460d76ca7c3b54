import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Client,
  credentials,
  Channel as GrpcChannel,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { LEADER_HEADER, REACHED_HEADER } from '../../proto/leader-header.ts';
import { freePort } from '../../test/support/free-port.ts';
import { LeaderChannel, type LeaderWait } from './leader-channel.ts';

const pass = (bytes: Buffer) => bytes;
const codec = {
  requestSerialize: pass,
  requestDeserialize: pass,
  responseSerialize: pass,
  responseDeserialize: pass,
};
const SERVICE = {
  Ask: { path: '/a.B/Ask', requestStream: false, responseStream: false, ...codec },
  Read: { path: '/trawl.v1.SweepService/ListSweeps', requestStream: false, responseStream: false, ...codec },
  List: { path: '/a.B/List', requestStream: false, responseStream: true, ...codec },
  Talk: { path: '/a.B/Talk', requestStream: true, responseStream: true, ...codec },
} as const;

interface Peer {
  readonly address: string;
  /** The number of calls that this coordinator ran. */
  ran: number;
  /** A leader answers calls with the name in `leads`. A standby rejects calls and names the leader in `follows`. */
  role: { readonly leads: string } | { readonly follows: string };
  /** The error with which the next call fails after the coordinator has run it. */
  nextError?: Partial<ServiceError> | undefined;
  /** Whether the coordinator runs the next call but sends no answer. */
  isNextSilent?: boolean;
  stop(): void;
}

async function peer(role: Peer['role'], port = 0): Promise<Peer> {
  const server = new Server();
  const rejection = (leader: string) => {
    const metadata = new Metadata();
    metadata.set(LEADER_HEADER, leader);
    return { code: status.UNAVAILABLE, details: 'stands by', metadata };
  };
  const answer = (_call: unknown, callback: sendUnaryData<Buffer>) => {
    if ('follows' in self.role) return callback(rejection(self.role.follows));
    self.ran += 1;
    const { nextError } = self;
    self.nextError = undefined;
    if (self.isNextSilent === true) {
      self.isNextSilent = false;
      return;
    }
    if (nextError !== undefined) return callback(nextError);
    callback(null, Buffer.from(self.role.leads));
  };
  server.addService(SERVICE, {
    Ask: answer,
    Read: answer,
    List(call: ServerWritableStream<Buffer, Buffer>) {
      if ('follows' in self.role) return void call.emit('error', rejection(self.role.follows));
      self.ran += 1;
      for (const text of ['1', '2', self.role.leads]) call.write(Buffer.from(text));
      call.end();
    },
    Talk(call: ServerDuplexStream<Buffer, Buffer>) {
      const { role: now } = self;
      if ('follows' in now) return void call.emit('error', rejection(now.follows));
      self.ran += 1;
      call.on('data', (bytes: Buffer) => call.write(Buffer.from(`${now.leads} ${bytes}`)));
      call.on('end', () => call.end());
    },
  });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, given) =>
      error === null ? resolve(given) : reject(error),
    );
  });
  const stop = () => server.forceShutdown();
  const self: Peer = { address: `127.0.0.1:${bound}`, ran: 0, role, stop };
  onTestFinished(stop);
  return self;
}

/** Starts a server that accepts connections but never answers. */
async function silentServer() {
  const connections = new Set<Socket>();
  const port = await freePort();
  const server = createServer((socket) => connections.add(socket)).listen(port, '127.0.0.1');
  const close = async () => {
    const closed = once(server, 'close');
    server.close();
    for (const socket of connections) socket.destroy();
    await closed;
  };
  onTestFinished(async () => {
    if (server.listening) await close();
  });
  await once(server, 'listening');
  return { address: `127.0.0.1:${port}`, port, close };
}

function clientOf(...addresses: string[]): { client: Client; channel: LeaderChannel } {
  return waitingClientOf(undefined, ...addresses);
}

function waitingClientOf(wait: LeaderWait | undefined, ...addresses: string[]) {
  const open = (address: string) => {
    if (address.startsWith('rejected')) throw new Error('not an address of a coordinator');
    return { channel: new GrpcChannel(address, credentials.createInsecure(), {}), interceptors: [] };
  };
  const channel = new LeaderChannel(addresses, open, wait);
  const client = new Client(channel.address, credentials.createInsecure(), channel.options);
  onTestFinished(() => client.close());
  return { client, channel };
}

function ask(client: Client, limitMs = 10_000, { path } = SERVICE.Ask as { path: string }): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + limitMs };
    client.makeUnaryRequest(path, pass, pass, Buffer.from('?'), new Metadata(), options, (error, answer) =>
      error === null ? resolve(`${answer}`) : reject(error),
    );
  });
}

test('a call to a standby is redirected to the leader, and later calls go directly to the leader', async () => {
  const leader = await peer({ leads: 'a' });
  const standby = await peer({ follows: leader.address });
  const { client, channel } = clientOf(standby.address);
  expect(await ask(client)).toBe('a');
  expect(channel.address).toBe(leader.address);
  standby.stop();
  expect(await ask(client)).toBe('a');
  expect(leader.ran).toBe(2);
});

test('a client with several addresses skips an address where nothing listens, and an address that does not answer', async () => {
  const leader = await peer({ leads: 'b' });
  const gone = await peer({ leads: 'x' });
  gone.stop();
  expect(await ask(clientOf(gone.address, leader.address).client)).toBe('b');
  const silent = await silentServer();
  const begun = performance.now();
  expect(await ask(clientOf(silent.address, leader.address).client)).toBe('b');
  expect(performance.now() - begun).toBeLessThan(4_000);
});

test('if no address answers, a call waits for a leader', async () => {
  const [one, other] = [await silentServer(), await silentServer()];
  const notices: number[] = [];
  const wait = { limitMs: 30_000, onWait: () => notices.push(1) };
  const answers = [SERVICE.Ask, SERVICE.Read].map((method) =>
    ask(waitingClientOf(wait, one.address, other.address).client, 500, method),
  );
  await sleep(2_500);
  await other.close();
  await peer({ leads: 'b' }, other.port);
  expect(await Promise.all(answers)).toEqual(['b', 'b']);
  expect(notices).toHaveLength(2);
});

test('if no address answers, a call fails when the time limit of its wait for a leader is over', async () => {
  const [one, other] = [await silentServer(), await silentServer()];
  const { client } = waitingClientOf({ limitMs: 2_500, onWait: () => {} }, one.address, other.address);
  const begun = performance.now();
  await expect(ask(client, 500)).rejects.toMatchObject({
    code: status.UNAVAILABLE,
    details: 'connection timed out',
  });
  expect(performance.now() - begun).toBeGreaterThan(2_500);
  expect(performance.now() - begun).toBeLessThan(6_000);
});

test('a call waits until a standby among the addresses of the client becomes the leader', async () => {
  const dead = await peer({ leads: 'a' });
  dead.stop();
  const standby = await peer({ follows: dead.address });
  const { client } = clientOf(dead.address, standby.address);
  const answer = ask(client);
  await sleep(1_000);
  standby.role = { leads: 'b' };
  expect(await answer).toBe('b');
});

test('a call fails if no coordinator leads before its deadline', async () => {
  const [one, other] = [await peer({ follows: '' }), await peer({ follows: '' })];
  const begun = performance.now();
  await expect(ask(clientOf(one.address, other.address).client, 1_000)).rejects.toMatchObject({
    code: expect.toSatisfy((code: number) => code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED),
  });
  expect(performance.now() - begun).toBeLessThan(1_500);
  await expect(ask(clientOf(one.address).client, 1_000)).rejects.toMatchObject({
    code: expect.toSatisfy((code: number) => code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED),
  });
  expect(performance.now() - begun).toBeGreaterThan(1_500);
});

test('a call to the only address of a client fails at once if nothing listens there, and waits for a leader if a standby answers', async () => {
  const gone = await peer({ leads: 'a' });
  gone.stop();
  const begun = performance.now();
  await expect(ask(clientOf(gone.address).client)).rejects.toMatchObject({ code: status.UNAVAILABLE });
  expect(performance.now() - begun).toBeLessThan(1_000);

  const standby = await peer({ follows: gone.address });
  const answer = ask(clientOf(standby.address).client);
  await sleep(2_000);
  standby.role = { leads: 'b' };
  expect(await answer).toBe('b');
});

test('a call that a coordinator ran is not repeated, even if its answer is lost', async () => {
  const leader = await peer({ leads: 'a' });
  const { client } = clientOf(leader.address, leader.address.replace('127.0.0.1', 'localhost'));
  leader.nextError = { code: status.UNAVAILABLE, details: 'Connection dropped' };
  await expect(ask(client)).rejects.toMatchObject({ code: status.UNAVAILABLE });
  expect(leader.ran).toBe(1);
});

test.each([
  ['lost', status.UNAVAILABLE, 'Connection dropped'],
  ['closed by the server', status.CANCELLED, 'Call cancelled'],
  ['reset', status.INTERNAL, 'Received RST_STREAM with code 2'],
])('a client with several addresses retries a read-only call if its connection is %s', async (_name, code, details) => {
  const [leader, other] = [await peer({ leads: 'a' }), await peer({ leads: 'b' })];
  leader.nextError = { code, details };
  expect(await ask(clientOf(leader.address, other.address).client, 10_000, SERVICE.Read)).toMatch(/^[ab]$/);
  expect(leader.ran).toBeGreaterThan(0);

  const alone = clientOf(leader.address).client;
  leader.nextError = { code, details };
  await expect(ask(alone, 10_000, SERVICE.Read)).rejects.toMatchObject({ code });
});

test('a call without an answer in time is retried only if it is read-only', async () => {
  const [leader, other] = [await peer({ leads: 'a' }), await peer({ leads: 'b' })];
  const wait = { limitMs: 10_000, onWait: () => {} };
  leader.isNextSilent = true;
  const reader = waitingClientOf(wait, leader.address, other.address);
  expect(await ask(reader.client, 300, SERVICE.Read)).toBe('b');

  leader.isNextSilent = true;
  const { client } = waitingClientOf(wait, leader.address, other.address);
  await expect(ask(client, 300)).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
  expect([leader.ran, other.ran]).toEqual([2, 1]);
});

test('calls that wait for a leader may exceed their time limit, and the client is notified of the wait once', async () => {
  const [one, other] = [await peer({ follows: '' }), await peer({ follows: '' })];
  let notices = 0;
  const onWait = () => {
    notices += 1;
  };
  const wait = { limitMs: 10_000, onWait };
  const { client } = waitingClientOf(wait, one.address, other.address);
  const answers = [ask(client, 500), ask(client, 500, SERVICE.Read)];
  await sleep(2_700);
  other.role = { leads: 'b' };
  expect(await Promise.all(answers)).toEqual(['b', 'b']);
  expect(notices).toBe(1);

  const begun = performance.now();
  other.role = { follows: '' };
  await expect(ask(waitingClientOf({ ...wait, limitMs: 1_000 }, one.address, other.address).client)).rejects.toThrow();
  expect(performance.now() - begun).toBeLessThan(2_000);
});

test('a leader that temporarily cannot run a call is not avoided, and a read-only call to this leader is retried', async () => {
  const leader = await peer({ leads: 'a' });
  const standby = await peer({ follows: leader.address });
  const { client, channel } = clientOf(leader.address, standby.address);
  const metadata = new Metadata();
  metadata.set(REACHED_HEADER, '1');
  const nextError = { code: status.UNAVAILABLE, details: 'the file is not ready', metadata };
  leader.nextError = nextError;
  await expect(ask(client)).rejects.toMatchObject({ details: 'the file is not ready' });
  expect(channel.address).toBe(leader.address);
  leader.nextError = nextError;
  expect(await ask(client, 10_000, SERVICE.Read)).toBe('a');
  expect([channel.address, leader.ran]).toEqual([leader.address, 3]);
});

test('a call with a stream of answers is redirected from a standby to the leader before the first answer', async () => {
  const leader = await peer({ leads: 'a' });
  const standby = await peer({ follows: leader.address });
  const { client } = clientOf(standby.address);
  const call = client.makeServerStreamRequest(SERVICE.List.path, pass, pass, Buffer.from('?'));
  const texts: string[] = [];
  for await (const bytes of call) texts.push(`${bytes}`);
  expect(texts).toEqual(['1', '2', 'a']);
});

test('a call with a stream of requests fails at a standby, and the next call goes to the leader', async () => {
  const leader = await peer({ leads: 'a' });
  const standby = await peer({ follows: leader.address });
  const { client } = clientOf(standby.address, leader.address);
  const talk = async () => {
    const call = client.makeBidiStreamRequest(SERVICE.Talk.path, pass, pass);
    for (const text of ['1', '2', '3']) call.write(Buffer.from(text));
    call.end();
    const texts: string[] = [];
    for await (const bytes of call) texts.push(`${bytes}`);
    return texts;
  };
  await expect(talk()).rejects.toMatchObject({ code: status.UNAVAILABLE });
  expect(await talk()).toEqual(['a 1', 'a 2', 'a 3']);
});

test('if a standby names an invalid leader address, the client keeps the address of the standby', async () => {
  const standby = await peer({ follows: 'rejected:1' });
  const { client, channel } = clientOf(standby.address);
  await expect(ask(client, 1_000)).rejects.toThrow();
  expect(channel.address).toBe(standby.address);
});

test('a cancelled call ends at once, even between two attempts', async () => {
  const [one, other] = [await peer({ follows: '' }), await peer({ follows: '' })];
  const { client } = clientOf(one.address, other.address);
  const call = client.makeServerStreamRequest(SERVICE.List.path, pass, pass, Buffer.from('?'));
  const failed = once(call, 'error');
  await sleep(500);
  const begun = performance.now();
  call.cancel();
  expect((await failed)[0]).toMatchObject({ code: status.CANCELLED });
  expect(performance.now() - begun).toBeLessThan(100);
});
