import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startStandby } from './standby.ts';

const INFO = { server_id: 'test', version: '2.10.0', proto: 1, headers: true, max_payload: 1_048_576 };

/** Listens, and answers as nats-server answers the login and the pings of a client. */
async function natsServer(port = 0): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => `${data}`.includes('PING\r\n') && socket.write('PONG\r\n'));
    socket.write(`INFO ${JSON.stringify(INFO)}\r\n`);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const stop = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  onTestFinished(stop);
  return { port: (server.address() as AddressInfo).port, stop };
}

test('a standby is not ready while the store or NATS does not answer', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-standby-'));
  const first = await natsServer();
  await first.stop();
  const standby = await startStandby({
    dir,
    natsUrl: `nats://127.0.0.1:${first.port}`,
    listen: { host: '127.0.0.1', port: 0 },
    metrics: { host: '127.0.0.1', port: 0 },
    identityDir: undefined,
    insecure: false,
    requireToken: false,
    metricsAuth: undefined,
    metricsHosts: [],
    metricsTls: false,
    version: '0.0.0',
    log: pino({ level: 'silent' }),
  });
  onTestFinished(() => {
    standby.stop();
    rmSync(dir, { recursive: true });
  });
  const ready = async () => {
    const response = await fetch(`http://127.0.0.1:${standby.metrics.port}/readyz`);
    return `${response.status} ${await response.text()}`;
  };
  const eventually = (expected: RegExp) =>
    vi.waitFor(async () => expect(await ready()).toMatch(expected), { timeout: 10_000, interval: 50 });
  await eventually(/^503 no NATS server answers at nats:\/\/127\.0\.0\.1/);
  const second = await natsServer(first.port);
  await eventually(/^200/);
  await second.stop();
  await eventually(/^503 the connection to NATS is lost/);
  await natsServer(first.port);
  await eventually(/^200/);
  standby.setProblem('store', 'PostgreSQL does not answer');
  standby.setProblem('artifacts', 'artifacts are elsewhere');
  expect(await ready()).toBe('503 PostgreSQL does not answer; artifacts are elsewhere\n');
  standby.setProblem('store', undefined);
  expect(await ready()).toBe('503 artifacts are elsewhere\n');
});
