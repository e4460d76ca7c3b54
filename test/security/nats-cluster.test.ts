/** Tests which certificates let a server join a NATS cluster that uses the configuration written by `trawl certs`. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { addIdentity, initAuthority } from '../../bin/certs/authority.ts';
import { testFolder } from '../support/folder.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';
import { type SecuredNats, startSecuredNats } from './secured-nats.ts';

const DAYS = { days: 2, force: false };
const MEMBER = '127.0.0.1';

let dir: string;
let port: number;
let nats: SecuredNats;

beforeEach(async () => {
  dir = join(testFolder(), 'certs');
  await initAuthority(dir, { hosts: [], natsHosts: [MEMBER, 'other'], authorityDays: 2, ...DAYS });
  await addIdentity(dir, { name: 'gpu-1', role: 'agent' }, DAYS);
  port = await freePort();
  const config = join(dir, `nats-${MEMBER}`, 'nats.conf');
  writeFileSync(config, readFileSync(config, 'utf8').replaceAll(':6222', `:${port}`));
  nats = await startSecuredNats(join(dir, `nats-${MEMBER}`));
});

/**
 * Connects to the cluster port with the certificate in a folder. Returns the server's greeting; '' if the server closes
 * the connection.
 */
async function greeting(folder: string): Promise<string> {
  const read = (file: string) => readFileSync(join(dir, folder, file));
  const socket = connect({ host: MEMBER, port, ca: read('ca.pem'), cert: read('cert.pem'), key: read('key.pem') });
  onTestFinished(() => void socket.destroy());
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text;
    if (received.includes('\r\n')) socket.destroy();
  });
  socket.on('error', () => {});
  await once(socket, 'close');
  return received;
}

test('only servers can join the cluster: the certificates of agents and the coordinator are rejected', async () => {
  expect(await greeting('nats-other')).toMatch(/^INFO .*"server_id"/);
  expect(await greeting('agent-gpu-1')).toBe('');
  expect(await greeting('server')).toBe('');
  await until('the rejection is in the log', () => nats.log().match(/certificate not pinned/gi)?.length === 2);
});
