import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'nats';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectNats } from '../../lib/net/connect-nats.ts';
import { UnreachableError } from '../../proto/errors.ts';
import { withoutSecrets } from '../../proto/subjects.ts';
import { packageRoot } from '../package.ts';
import { type LocalNatsServer, processCommand, startNatsServer } from './nats-server.ts';

const viteNode = join(packageRoot(), 'node_modules', 'vite-node', 'vite-node.mjs');
/** Runs the test only on Linux, because the search for leftover processes needs /proc. */
const onLinux = test.runIf(process.platform === 'linux');

let folder: string;
let servers: LocalNatsServer[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "trawl nats 'quoted' "));
  servers = [];
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: { port?: number } = {}): Promise<LocalNatsServer> {
  const server = await startNatsServer({ storeDir: folder, ...options });
  servers.push(server);
  return server;
}

function processesNaming(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => processCommand(Number(pid)) ?? '')
    .filter((command) => command.includes(text));
}

async function until(condition: () => boolean, limitMs = 5_000): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within ${limitMs} ms: ${condition}`);
    await sleep(20);
  }
}

test('a server provides JetStream and keeps its streams across a restart on the same port', async () => {
  const first = await start();
  expect(first.port).toBeGreaterThan(0);
  expect(withoutSecrets(first.url)).toBe(`nats://127.0.0.1:${first.port}`);
  const writer = await connectNats(first.url, 'test');
  await (await writer.jetstreamManager()).streams.add({ name: 'kept', subjects: ['kept.>'] });
  await writer.jetstream().publish('kept.one', 'hello');
  await writer.close();
  await first.stop();
  expect(processCommand(first.pid)).toBeNull();

  const second = await start({ port: first.port });
  expect(second.url).toBe(first.url);
  const reader = await connectNats(second.url, 'test');
  expect((await (await reader.jetstreamManager()).streams.info('kept')).state.messages).toBe(1);
  await reader.close();
});

test('a server rejects clients without its password, which only the owner can read', async () => {
  const server = await start();
  const { hostname, port, password } = new URL(server.url);
  const servers = `${hostname}:${port}`;
  for (const wrong of [{}, { user: 'trawl' }, { user: 'trawl', pass: 'guess' }, { user: 'other', pass: password }]) {
    await expect(connect({ servers, ...wrong, reconnect: false })).rejects.toThrow(/authorization/i);
  }
  expect(password.length).toBeGreaterThanOrEqual(32);
  expect(processesNaming(password)).toEqual([]);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  for (const name of ['nats-server.conf', 'password']) {
    expect(statSync(join(folder, name)).mode & 0o777, name).toBe(0o600);
    expect(readFileSync(join(folder, name), 'utf8')).toContain(password);
  }
  expect(readFileSync(join(folder, 'nats-server.log'), 'utf8')).not.toContain(password);
});

onLinux('a stopped server leaves no process behind', async () => {
  const server = await start();
  expect(processesNaming(folder).length).toBeGreaterThan(0);
  await server.stop();
  await server.stop();
  await until(() => processesNaming(folder).length === 0);
});

onLinux('a server killed from outside is reported and leaves no process behind', async () => {
  const server = await start();
  process.kill(server.pid, 'SIGKILL');
  expect(await server.exited).toEqual({ code: 137 });
  await until(() => processesNaming(folder).length === 0);
});

onLinux(
  'the server and its watcher end when their parent is killed by SIGKILL, and the folder can immediately be used again',
  async () => {
    const script = join(import.meta.dirname, 'fixtures', 'start-and-wait.ts');
    const parent = spawn(process.execPath, [viteNode, script, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(parent.stdout.setEncoding('utf8'), 'data');
    const { pid, port } = JSON.parse(line) as { pid: number; port: number };
    expect(processCommand(pid)).toContain(folder);

    parent.kill('SIGKILL');
    await once(parent, 'exit');
    const next = await start({ port });
    expect(next.port).toBe(port);
    expect(processCommand(pid)).toBeNull();
    await next.stop();
    await until(() => processesNaming(folder).length === 0);
  },
);

test('a port in use is reported with the server log', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as { port: number };
  const rejected = startNatsServer({ storeDir: folder, port });
  await expect(rejected).rejects.toThrow(UnreachableError);
  await expect(rejected).rejects.toThrow(/address already in use/);
  other.close();
});

test('a folder used by a live server is rejected', async () => {
  const server = await start();
  await expect(startNatsServer({ storeDir: folder })).rejects.toThrow(`process ${server.pid}`);
  expect(readFileSync(join(folder, 'nats-server.pid'), 'utf8').trim()).toBe(`${server.pid}`);
});
