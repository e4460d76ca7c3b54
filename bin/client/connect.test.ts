import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { MOVED_FILE, POSTGRES_MARK, STORE_FILE } from '../../lib/files/coordinator-file.ts';
import { parseAddress } from '../../lib/net/address.ts';
import { BadInputError, EXIT, RejectedError, TrawlError, UnreachableError } from '../../proto/errors.ts';
import { SweepState } from '../../proto/gen/trawl/v1/types.ts';
import { type CannedServer, serveCanned } from '../../test/support/cli/canned-service.ts';
import { delta, sampleSweep, snapshot } from '../../test/support/dashboard/sample.ts';
import { connect, LEADER_WAIT_MS, withConnection } from './connect.ts';
import { retryUnreachable, unary } from './rpc.ts';
import { watchSweep } from './watch.ts';

let dir: string;
const servers: CannedServer[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trawl-connect-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.stop();
  vi.unstubAllEnvs();
  await rm(dir, { recursive: true, force: true });
});

async function serve(...args: Parameters<typeof serveCanned>): Promise<CannedServer> {
  const server = await serveCanned(...args);
  servers.push(server);
  return server;
}

const list = (options: Parameters<typeof connect>[0]) =>
  withConnection(options, (connection) => unary(connection, connection.client.listSweeps, {}));

test.each([
  [status.INVALID_ARGUMENT, EXIT.badInput],
  [status.NOT_FOUND, EXIT.badInput],
  [status.FAILED_PRECONDITION, EXIT.badInput],
  [status.PERMISSION_DENIED, EXIT.rejected],
  [status.UNAUTHENTICATED, EXIT.rejected],
  [status.UNAVAILABLE, EXIT.unreachable],
])('a call that fails with the gRPC status %i gives exit code %i and a message', async (code, exitCode) => {
  const { address } = await serve({ listSweeps: (_call, callback) => callback({ code, details: 'because of x' }) });
  const error = await list({ server: address }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(TrawlError);
  expect(error).toMatchObject({ exitCode, message: expect.stringContaining('because of x') });
});

test('an internal error of the server names the server', async () => {
  const { address } = await serve({
    listSweeps: (_call, callback) => callback({ code: status.INTERNAL, details: 'oops' }),
  });
  const error = await list({ server: address }).catch((caught: unknown) => caught);
  expect(error).not.toBeInstanceOf(TrawlError);
  expect(error).toMatchObject({ message: `the coordinator at ${address} failed: oops` });
});

test('if no coordinator listens on the address, the error of a call names the address and the remedy', async () => {
  const gone = await serveCanned({});
  gone.stop();
  const error = await list({ server: gone.address }).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(UnreachableError);
  expect(error).toMatchObject({ message: expect.stringMatching(new RegExp(`${gone.address}.*trawl coordinator`)) });
});

test('a call to a server that never answers fails at the deadline', async () => {
  const { address } = await serve({ listSweeps: () => {} });
  const call = withConnection({ server: address }, (connection) =>
    unary(connection, connection.client.listSweeps, {}, 200),
  );
  await expect(call).rejects.toThrow(UnreachableError);
});

test('--server overrides TRAWL_SERVER', async () => {
  const named = await serve({ listSweeps: (_call, callback) => callback(null, { sweeps: [sampleSweep()] }) });
  const other = await serve({ listSweeps: (_call, callback) => callback(null, { sweeps: [] }) });
  vi.stubEnv('TRAWL_SERVER', named.address);
  expect((await list({})).sweeps).toHaveLength(1);
  expect((await list({ server: other.address })).sweeps).toHaveLength(0);
});

test('a web proxy in the environment is ignored', async () => {
  const { address } = await serve({ listSweeps: (_call, callback) => callback(null, { sweeps: [] }) });
  vi.stubEnv('http_proxy', 'http://127.0.0.1:1');
  vi.stubEnv('grpc_proxy', 'http://127.0.0.1:1');
  expect((await list({ server: address })).sweeps).toEqual([]);
});

test.each(['localhost', 'host:0', 'host:65536', ':7070', 'a b:1', 'http://x:1', '::1:7070', ''])(
  'the address %j is rejected, and the error states the expected form',
  (text) => {
    expect(() => parseAddress(text, '--server')).toThrow(/--server is .*expected HOST:PORT/);
  },
);

test('the host in an address may be a name, an IPv4 address, or an IPv6 address in brackets', () => {
  expect(parseAddress('gpu-1.lan:7070', '')).toEqual({ host: 'gpu-1.lan', port: 7070 });
  expect(parseAddress('[::1]:1', '')).toEqual({ host: '[::1]', port: 1 });
});

test('--dir connects to the coordinator that uses the folder', async () => {
  const { address } = await serve({ listSweeps: (_call, callback) => callback(null, { sweeps: [sampleSweep()] }) });
  await writeFile(join(dir, 'coordinator.json'), JSON.stringify({ address, pid: process.pid }));
  expect((await list({ dir })).sweeps).toHaveLength(1);
});

test('--dir reads the folder if its coordinator has stopped, even if another coordinator uses the port', async () => {
  const stranger = await serve({ listSweeps: (_call, callback) => callback(null, { sweeps: [sampleSweep()] }) });
  await writeFile(join(dir, STORE_FILE), '');
  const noSuchPid = 2 ** 22 + 1;
  await writeFile(join(dir, 'coordinator.json'), JSON.stringify({ address: stranger.address, pid: noSuchPid }));
  await withConnection({ dir }, async (connection) => {
    expect(connection.offline).toEqual({ dir });
    expect((await unary(connection, connection.client.listSweeps, {})).sweeps).toEqual([]);
    const pause = unary(connection, connection.client.submit, {
      fileName: '',
      text: '',
      requestId: 'r',
      source: undefined,
    });
    await expect(pause).rejects.toThrow(RejectedError);
  });
});

test('--dir reads the PostgreSQL store of TRAWL_STORE if the store of the folder was moved there', async () => {
  for (const name of [STORE_FILE, MOVED_FILE, POSTGRES_MARK]) await writeFile(join(dir, name), '');
  vi.stubEnv('TRAWL_STORE', 'postgres://localhost:1/sweeps');
  await expect(list({ dir })).rejects.toThrow(/PostgreSQL/);
});

test('with several coordinators, a call that never succeeds is repeated for no longer than LEADER_WAIT_MS', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] });
  onTestFinished(() => {
    vi.useRealTimers();
  });
  let calls = 0;
  const call = async () => {
    calls += 1;
    await vi.advanceTimersByTimeAsync(LEADER_WAIT_MS);
    throw new UnreachableError('no coordinator leads');
  };
  await expect(retryUnreachable({ hasStandbys: true }, call)).rejects.toThrow('no coordinator leads');
  expect(calls).toBe(1);
});

test.each(['', '{', '{"address": 7}', '{"address": "127.0.0.1:1", "pid": -4}'])(
  '--dir reads the store even if coordinator.json contains %j',
  async (content) => {
    await writeFile(join(dir, STORE_FILE), '');
    await writeFile(join(dir, 'coordinator.json'), content);
    expect((await list({ dir })).sweeps).toEqual([]);
  },
);

describe('--dir of a coordinator that runs but does not answer', () => {
  const HOLDER = `
    const [path] = process.argv.slice(1);
    const db = new (require('libsql'))(path);
    db.exec('pragma locking_mode = exclusive; pragma journal_mode = wal; create table x (y)');
    console.log('holds');
    setInterval(() => {}, 1000);
  `;

  async function holdStore(): Promise<ChildProcess> {
    const holder = spawn(process.execPath, ['-e', HOLDER, join(dir, STORE_FILE)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void holder.kill('SIGKILL'));
    await once(holder.stdout, 'data');
    const silent = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void silent.close());
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const address = `127.0.0.1:${port}`;
    await writeFile(join(dir, 'coordinator.json'), JSON.stringify({ address, pid: holder.pid }));
    return holder;
  }

  test('the error for a coordinator that does not answer names the process, the address and the remedy', async () => {
    const { pid } = await holdStore();
    const error = await connect({ dir }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error.message).toMatch(
      new RegExp(
        `^the coordinator at 127\\.0\\.0\\.1:\\d+ \\(process ${pid}\\) uses .*did not answer within 2 s; .*"kill ${pid}"`,
      ),
    );
  });

  test.runIf(process.platform === 'linux')('the error for a suspended coordinator names its process', async () => {
    const holder = await holdStore();
    holder.kill('SIGSTOP');
    await expect(connect({ dir })).rejects.toThrow(`process ${holder.pid} is suspended: continue it with "kill -CONT`);
  });
});

test('--server together with --dir is rejected, and so is a folder that does not exist', async () => {
  await expect(connect({ server: 'a:1', dir })).rejects.toThrow(BadInputError);
  await expect(connect({ dir: join(dir, 'none') })).rejects.toThrow(/folder .*none does not exist/);
});

const finished = sampleSweep({ state: SweepState.FINISHED });

test('a watch reconnects after an outage, and reports the outage and the reconnect once each', async () => {
  const first = await serve({ watch: (call) => void call.write(snapshot()) });
  const kinds: (string | undefined)[] = [];
  const onOutage = vi.fn();
  const onReconnect = vi.fn();
  await withConnection({ server: first.address }, async (connection) => {
    for await (const { update } of watchSweep(connection, '7', {
      patienceMs: 20_000,
      onOutage,
      onReconnect,
    })) {
      kinds.push(update?.$case);
      if (kinds.length > 1) continue;
      first.stop();
      await serve(
        {
          watch: (call) => {
            call.write(snapshot());
            call.write(delta({ sweep: finished }));
            call.end();
          },
        },
        first.port,
      );
    }
  });
  expect(kinds).toEqual(['snapshot', 'snapshot', 'delta']);
  expect(onOutage).toHaveBeenCalledTimes(1);
  expect(onReconnect).toHaveBeenCalledTimes(1);
});

test('a watch continues when trials are retried after the end of the sweep, even across an outage', async () => {
  const kinds: (string | undefined)[] = [];
  let calls = 0;
  const server = await serve({
    watch: (call) => {
      calls += 1;
      if (calls === 1) {
        call.write(snapshot(finished));
        call.write(delta({ sweep: sampleSweep({ state: SweepState.RUNNING }) }));
      } else {
        call.write(delta({ sweep: finished }));
      }
      call.end();
    },
  });
  await withConnection({ server: server.address }, async (connection) => {
    for await (const { update } of watchSweep(connection, '7', { patienceMs: 20_000 })) kinds.push(update?.$case);
  });
  expect(kinds).toEqual(['snapshot', 'delta', 'delta']);
});

test('a watch fails when an outage lasts longer than the limit', async () => {
  const server = await serve({ watch: (call) => void call.write(snapshot()) });
  await withConnection({ server: server.address }, async (connection) => {
    const updates = watchSweep(connection, '7', { patienceMs: 400 });
    await updates.next();
    server.stop();
    await expect(updates.next()).rejects.toThrow(UnreachableError);
  });
});

test('a watch fails at once if the first connection fails', async () => {
  const gone = await serveCanned({});
  gone.stop();
  await withConnection({ server: gone.address }, async (connection) => {
    await expect(watchSweep(connection, '7', { patienceMs: 60_000 }).next()).rejects.toThrow(UnreachableError);
  });
});

test('a signal ends a watch without an error', async () => {
  const server = await serve({ watch: (call) => void call.write(snapshot()) });
  const stop = new AbortController();
  await withConnection({ server: server.address }, async (connection) => {
    const updates = watchSweep(connection, '7', { patienceMs: 60_000, signal: stop.signal });
    await updates.next();
    setTimeout(() => stop.abort(), 20);
    expect((await updates.next()).done).toBe(true);
  });
});
