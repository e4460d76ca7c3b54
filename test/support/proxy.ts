/** A proxy to a server that can cut connections and limit bandwidth. */
import { createServer, connect as dial, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { onTestFinished } from 'vitest';

export interface Proxy {
  /** HOST:PORT to connect to in place of the server. */
  readonly address: string;
  /** Closes all connections, and accepts none until `mend`. */
  cut(): void;
  mend(): void;
  /** Bytes sent to the server so far. */
  carried(): number;
}

/**
 * @param target HOST:PORT of the server
 * @param bytesPerSecond limit towards the server; default: no limit
 */
export async function startProxy(target: string, bytesPerSecond = Number.POSITIVE_INFINITY): Promise<Proxy> {
  const [host = '', port = ''] = target.split(':');
  const open = new Set<Socket>();
  let whole = true;
  let carried = 0;
  const narrow = () =>
    new Transform({
      transform(piece: Buffer, _, done) {
        carried += piece.length;
        setTimeout(done, (1_000 * piece.length) / bytesPerSecond, null, piece);
      },
    });
  const server = createServer((near) => {
    if (!whole) return void near.destroy();
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
    near.pipe(narrow()).pipe(far);
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const breakAll = () => {
    for (const socket of open) socket.destroy();
  };
  onTestFinished(() => {
    breakAll();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return {
    address: `127.0.0.1:${address.port}`,
    cut() {
      whole = false;
      breakAll();
    },
    mend() {
      whole = true;
    },
    carried: () => carried,
  };
}
