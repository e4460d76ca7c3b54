/** A TCP proxy that can interrupt or slow down the connections to a server. */
import { createServer, connect as dial, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { onTestFinished } from 'vitest';

export interface Proxy {
  /** HOST:PORT of the proxy. */
  readonly address: string;
  /** Closes all connections, and rejects new connections until `restore`. */
  cut(): void;
  restore(): void;
  /** Returns the number of bytes sent to the server so far. */
  carried(): number;
}

/**
 * @param target HOST:PORT of the server
 * @param bytesPerSecond limit for the data that each connection sends to the server. Default: no limit
 * @param listen address of the proxy. Default: the loopback address
 */
export async function startProxy(
  target: string,
  bytesPerSecond = Number.POSITIVE_INFINITY,
  listen = '127.0.0.1',
): Promise<Proxy> {
  const [host = '', port = ''] = target.split(':');
  const open = new Set<Socket>();
  let connected = true;
  let carried = 0;
  const limited = () =>
    new Transform({
      transform(chunk: Buffer, _, done) {
        carried += chunk.length;
        setTimeout(done, (1_000 * chunk.length) / bytesPerSecond, null, chunk);
      },
    });
  const server = createServer((near) => {
    if (!connected) return void near.destroy();
    const far = dial(Number(port), host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
    }
    near.pipe(limited()).pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, listen, resolve));
  const closeAll = () => {
    for (const socket of open) socket.destroy();
  };
  onTestFinished(() => {
    closeAll();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return {
    address: `${listen}:${address.port}`,
    cut() {
      connected = false;
      closeAll();
    },
    restore() {
      connected = true;
    },
    carried: () => carried,
  };
}
