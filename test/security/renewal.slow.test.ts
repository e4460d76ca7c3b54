/** Tests certificates that are renewed, or that expire, while the coordinator and its agents run. */
import { copyFileSync, cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { expect, test } from 'vitest';
import { addIdentity } from '../../bin/certs/authority.ts';
import { renewIdentities } from '../../bin/certs/renew.ts';
import { certificateFacts } from '../../lib/net/identity.ts';
import { EXIT } from '../../proto/errors.ts';
import { sweepFile } from '../support/folder.ts';
import { startProxy } from '../support/proxy.ts';
import { trawl, trawlJson } from '../support/trawl.ts';
import { until } from '../support/until.ts';
import { startSecured, startSecuredAgent, tokenHeaders } from './secured-cluster.ts';

const LIMIT_MS = 300_000;
/** The validity of renewed certificates, in days. */
const RENEWED = 30;
/** The validity, in days, of a certificate that expires so soon that it causes a warning. */
const SOON = 3;

const idleSweep = (name: string) => `name: ${name}\ntrainer: noop\nparameters: {x: {values: [1, 2, 3]}}\n`;

/** Returns the expiry time of the certificate that a server presents, in Unix seconds. */
function presentedExpiry(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    socket.on('secureConnect', () => {
      resolve(Date.parse(socket.getPeerCertificate().valid_to) / 1_000);
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

test('a renewed certificate is used without a restart, and a warning precedes the expiry of the old certificate', {
  timeout: LIMIT_MS,
}, async () => {
  const cluster = await startSecured();
  const { folder, identities, nats, address, metrics, headers } = cluster;
  const agentFolder = await addIdentity(identities.dir, { name: 'one', role: 'agent' }, { days: SOON, force: false });
  const operator = await identities.add('ann', 'operator');
  nats.reload();
  const as = ['--server', address, '--identity', operator];
  const agent = await startSecuredAgent(cluster, agentFolder, '--metrics', '127.0.0.1:0');
  await until('the agent warns', () => /expires soon: renew it with \\"trawl certs renew\\"/.test(agent.log()));
  const listed = async () => (await trawl('agents', ...as)).stdout;
  await until('the agents show the expiry', async () => /certificate[\s\S]*expires in/.test(await listed()));
  expect((await trawl('doctor', '--identity', agentFolder)).stdout).toMatch(/certificate.*expires on/);
  const pidBefore = agent.daemon.pid;
  const agentMetrics = await until('the agent is up', () => /"metrics":"([^"]+)"/.exec(agent.log())?.[1]);
  const expiryOf = async (page: string, headers: Record<string, string>) => {
    const text = await (await fetch(`http://127.0.0.1:${page.split(':').at(-1)}/metrics`, { headers })).text();
    return Number(/^trawl_certificate_expiry_timestamp_seconds(?:\{.*\})? (.+)$/m.exec(text)?.[1]);
  };

  await renewIdentities(identities.dir, [], RENEWED);
  const renewed = (name: string) => certificateFacts(readFileSync(join(identities.dir, name, 'cert.pem'))).expires;
  expect((renewed('agent-one') * 1_000 - Date.now()) / 86_400_000).toBeGreaterThan(RENEWED - 1);
  await until('the coordinator presents its renewed certificate', async () => {
    return (await presentedExpiry(Number(address.split(':')[1]))) === renewed('server');
  });
  await until(
    'the metrics of the coordinator show the new expiry',
    async () => (await expiryOf(metrics, headers)) === renewed('server'),
  );
  await until(
    'the metrics of the agent show the new expiry',
    async () => (await expiryOf(agentMetrics, tokenHeaders(join(folder, 'agent')))) === renewed('agent-one'),
  );
  await until('the agents no longer show an expiry', async () => !(await listed()).includes('expires in'));
  nats.reload();
  await until('NATS presents its renewed certificate', () => nats.log().includes('Reloaded: tls'));

  const { sweep } = await trawlJson<{ sweep: string }>('submit', sweepFile(folder, idleSweep('renewed')), ...as);
  expect((await trawl('wait', sweep, ...as)).code).toBe(EXIT.done);
  expect(agent.daemon.pid).toBe(pidBefore);
  expect(agent.log()).toContain('the certificate was renewed');
  expect(cluster.log()).toContain('the certificate was renewed');
});

test('an agent with an expired certificate reports the expiry, keeps running, and recovers when the certificate is renewed', {
  timeout: LIMIT_MS,
}, async () => {
  const cluster = await startSecured();
  const { folder, identities, nats, address } = cluster;
  // The validity is long enough for an agent to start on a busy machine.
  const days = 40 / 86_400;
  const issued = await addIdentity(identities.dir, { name: 'one', role: 'agent' }, { days, force: false });
  // The agent uses a copy of its identity, as an agent on another machine would.
  const agentFolder = join(folder, 'copied-identity');
  cpSync(issued, agentFolder, { recursive: true });
  const operator = await identities.add('ann', 'operator');
  nats.reload();
  const as = ['--server', address, '--identity', operator];
  const proxy = await startProxy(address);
  const agent = await startSecuredAgent({ ...cluster, address: proxy.address }, agentFolder);
  await until('the agent is connected', () => cluster.log().includes('an agent connected'));
  await until('the agent reports the expiry', () =>
    /the certificate has expired, so new connections fail/.test(agent.log()),
  );
  proxy.cut();
  proxy.restore();
  await until('the coordinator rejects the agent', () => cluster.log().includes('"reason":"expired_certificate"'));
  const again = await trawl('agent', '--identity', agentFolder, '--dir', join(folder, 'other'));
  expect(again).toMatchObject({
    code: EXIT.rejected,
    stderr: expect.stringContaining('renew it with "trawl certs renew"'),
  });

  await renewIdentities(identities.dir, ['agent-one'], RENEWED);
  copyFileSync(join(issued, 'cert.pem'), join(agentFolder, 'cert.pem'));
  await until('the agent uses the renewed certificate', () => agent.log().includes('the certificate was renewed'));
  const { sweep } = await trawlJson<{ sweep: string }>('submit', sweepFile(folder, idleSweep('again')), ...as);
  expect((await trawl('wait', sweep, ...as)).code).toBe(EXIT.done);
});
