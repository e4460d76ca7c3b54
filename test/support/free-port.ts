import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Operating systems choose ports above this range for connections, and for servers that let the system choose. Another
 * process could get such a port before the program listens on it.
 */
const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;

/** Returns a free port of the loopback interface, for a program that starts to listen later. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1);
    const probe = createServer().listen(port, '127.0.0.1');
    try {
      await once(probe, 'listening');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      continue;
    }
    probe.close();
    await once(probe, 'close');
    return port;
  }
}
