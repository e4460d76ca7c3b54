/**
 * Tests a sweep on a cluster with TLS, certificates and tokens. Each part of the cluster has its own process, as on
 * several machines.
 */
import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AGENT_HOST, readIdentity } from '../../lib/net/identity.ts';
import { EXIT } from '../../proto/errors.ts';
import { COORDINATOR } from '../../proto/subjects.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { trawl, trawlJson } from '../support/trawl.ts';
import { until } from '../support/until.ts';
import { TestIdentities, writeIdentityFolder } from './identities.ts';
import { startSecured, startSecuredAgent } from './secured-cluster.ts';
import { startSecuredNats } from './secured-nats.ts';

const LIMIT_MS = 120_000;

const SWEEP = `
name: secured
trainer: noop
parameters:
  x: {min: 1, max: 6, step: 1}
`;

function get(
  url: string,
  identity: { authority: Buffer; certificate?: Buffer; key?: Buffer },
  auth?: string,
  servername?: string,
) {
  const { authority: ca, certificate: cert, key } = identity;
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const asked = request(url, { ca, cert, key, auth, servername }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    asked.on('error', reject).end();
  });
}

describe('a sweep over TLS', { timeout: LIMIT_MS }, () => {
  test('agent, operator and viewer can use their identities; a wrong role or identity is rejected and counted', async () => {
    const cluster = await startSecured();
    const { folder, identities, address, metrics, headers, dir } = cluster;
    const operator = await identities.add('ann', 'operator');
    const viewer = await identities.add('wall', 'viewer');
    const agent = await identities.add('gpu-1', 'agent');
    cluster.nats.reload();
    const as = (identity: string) => ['--server', address, '--identity', identity];

    const file = sweepFile(folder, SWEEP);
    const { sweep } = await trawlJson<{ sweep: string }>('submit', file, ...as(operator));
    await startSecuredAgent(cluster, agent);
    const waited = await trawl('wait', sweep, ...as(viewer));
    expect(waited.code, waited.stderr).toBe(EXIT.done);
    const trials = await trawlJson<{ state: string; agent: string }[]>(
      'trials',
      sweep,
      '--dir',
      dir,
      '--identity',
      viewer,
    );
    expect(trials.map((trial) => `${trial.state} on ${trial.agent}`)).toEqual(Array(6).fill('succeeded on gpu-1'));
    expect(waited.stderr).not.toContain('Warning');

    const second = await trawlJson<{ sweep: string }>('submit', sweepFile(folder, SWEEP, 'two.yaml'), ...as(operator));
    const killing = await trawl('kill', second.sweep, '-y', ...as(viewer));
    expect(killing).toMatchObject({ code: EXIT.rejected, stderr: expect.stringContaining('is allowed for operator') });
    expect(await trawl('ls', ...as(agent))).toMatchObject({ code: EXIT.rejected });
    expect(await trawl('ls', '--dir', dir)).toMatchObject({ code: EXIT.rejected });
    expect(await trawl('ls', '--server', address)).toMatchObject({ code: EXIT.unreachable });

    const ann = readIdentity(operator, ['operator']);
    const expired = writeIdentityFolder(join(folder, 'expired'), await identities.expired(ann));
    expect(await trawl('ls', ...as(expired))).toMatchObject({ code: EXIT.rejected });
    const elsewhere = await TestIdentities.init(join(folder, 'elsewhere'));
    const stranger = await trawl('ls', ...as(await elsewhere.add('ann', 'operator')));
    expect(stranger).toMatchObject({ code: EXIT.rejected, stderr: expect.stringContaining('certificate') });

    const text = await (await fetch(`http://${metrics}/metrics`, { headers })).text();
    expect(text).toMatch(/^trawl_auth_rejected_total\{reason="role"\} [1-9]/m);
    expect(text).toMatch(/^trawl_auth_rejected_total\{reason="handshake"\} [1-9]/m);
    expect(text).toMatch(/^trawl_auth_rejected_total\{reason="other_attempt"\} 0/m);
    const { expires } = readIdentity(identities.server, [COORDINATOR]);
    expect(Number(/^trawl_certificate_expiry_timestamp_seconds (.+)$/m.exec(text)?.[1])).toBe(expires);
    expect(cluster.log()).toMatch(/"reason":"role".*"name":"wall"/);
    for (const secret of [ann.token, readIdentity(agent, ['agent']).token]) expect(cluster.log()).not.toContain(secret);
  });

  test('an agent whose name or role differs from its identity does not start', async () => {
    const folder = testFolder();
    const identities = await TestIdentities.init(join(folder, 'certs'));
    const agent = await identities.add('a', 'agent');
    const run = (...args: string[]) => trawl('agent', '--dir', join(folder, 'agent'), ...args);
    const user = await run('--identity', await identities.add('ann', 'operator'));
    expect(user).toMatchObject({ code: EXIT.rejected, stderr: expect.stringContaining('role agent') });
    const nats = await startSecuredNats(identities.server);
    const other = await run('--identity', agent, '--id', 'b', '--nats', nats.url);
    expect(other).toMatchObject({ code: EXIT.badInput, stderr: expect.stringContaining('agent a') });
  });

  test('without an identity, a coordinator listens only on its own machine, unless --insecure is set', async () => {
    const folder = testFolder();
    for (const [flag, instead] of [
      ['--listen', '--identity'],
      ['--metrics', '--metrics-tls'],
    ] as const) {
      const rejected = await trawl('coordinator', '--dir', join(folder, 'data'), flag, '0.0.0.0:0');
      expect(rejected).toMatchObject({ code: EXIT.rejected, stderr: expect.stringContaining(instead) });
      expect(rejected.stderr).toContain('--insecure');
    }
  });
});

describe('the metrics of a secured coordinator', { timeout: LIMIT_MS }, () => {
  test('the metrics of a secured coordinator are available with the password, over TLS', async () => {
    const passwordFile = join(testFolder(), 'password');
    writeFileSync(passwordFile, 'correct horse\n');
    const { identities, metrics, log } = await startSecured(
      ...['--metrics-tls', '--metrics-user', 'prometheus', '--metrics-password-file', passwordFile],
    );
    const { authority } = readIdentity(identities.server, [COORDINATOR]);
    const url = `https://${metrics}/metrics`;
    expect(await get(url, { authority }, 'prometheus:correct horse')).toMatchObject({ status: 200 });
    for (const auth of [undefined, 'prometheus:wrong', 'other:correct horse', 'prometheus:correct horse ']) {
      expect(await get(url, { authority }, auth)).toMatchObject({ status: 401 });
    }
    expect(await get(`https://${metrics}/healthz`, { authority })).toMatchObject({ status: 200, text: 'ok\n' });
    const { text } = await get(url, { authority }, 'prometheus:correct horse');
    expect(text).toMatch(/^trawl_auth_rejected_total\{reason="metrics"\} 4$/m);
    expect(log()).not.toContain('correct horse');
  });

  test('the metrics of a secured coordinator are available with a certificate if no password is set', async () => {
    const { identities, metrics } = await startSecured('--metrics-tls');
    const viewer = await identities.identity('wall', 'viewer');
    const url = `https://${metrics}/metrics`;
    expect(await get(url, viewer)).toMatchObject({ status: 200 });
    expect(await get(url, { authority: viewer.authority })).toMatchObject({ status: 401 });
    const { certificate, key } = await identities.fromElsewhere(viewer);
    expect(await get(url, { authority: viewer.authority, certificate, key })).toMatchObject({ status: 401 });
  });

  test("the metrics of an agent are served with the agent's certificate, which is not valid for another host", async () => {
    const cluster = await startSecured();
    const { identities } = cluster;
    const agent = await identities.add('gpu-1', 'agent');
    cluster.nats.reload();
    const { log } = await startSecuredAgent(cluster, agent, '--metrics', '0.0.0.0:0', '--metrics-tls');
    const port = await until('the agent is up', () => /"metrics":"[^"]*:(\d+)"/.exec(log())?.[1]);
    const viewer = await identities.identity('wall', 'viewer');
    const url = `https://127.0.0.1:${port}/metrics`;
    const { status, text } = await get(url, viewer, undefined, AGENT_HOST);
    expect(status).toBe(200);
    expect(text).toContain('trawl_agent_spooled_records{agent="gpu-1"} 0');
    expect(await get(url, { authority: viewer.authority }, undefined, AGENT_HOST)).toMatchObject({ status: 401 });
    await expect(get(url, viewer)).rejects.toThrow(/does not match certificate/);
  });
});
