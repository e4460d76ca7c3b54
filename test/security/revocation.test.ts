/** Tests `trawl certs revoke` for agents that run trials, and for users with open streams. */
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { connect } from 'nats';
import { expect, onTestFinished, test } from 'vitest';
import { addIdentity, revokeIdentity } from '../../bin/certs/authority.ts';
import { channelTo } from '../../lib/net/channel.ts';
import { readIdentity } from '../../lib/net/identity.ts';
import { EXIT } from '../../proto/errors.ts';
import { Heartbeat } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { SweepServiceClient } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { heartbeatSubject, inboxPrefix } from '../../proto/subjects.ts';
import { trialsOf } from '../support/cluster.ts';
import { sweepFile } from '../support/folder.ts';
import { alive } from '../support/processes.ts';
import { trawl, trawlJson } from '../support/trawl.ts';
import { until } from '../support/until.ts';
import { type Secured, startSecured, startSecuredAgent } from './secured-cluster.ts';

/** The lease is longer than the test, so no attempt ends because of an expired lease. */
const LEASE = '10m';
/** Much shorter than the lease. */
const SOON_MS = 60_000;

const sweepText = (pids: string, release: string) => `
name: revoked
command: [sh, -c, 'echo $$ >> ${pids}; while [ ! -e ${release} ]; do sleep 0.1; done; echo "{\\"x\\": 1}"']
metric: {name: x, goal: minimize}
parameters:
  a: {values: [1, 2]}
`;

async function rejectionCount({ metrics, headers }: Secured, reason: string): Promise<number> {
  const text = await (await fetch(`http://${metrics}/metrics`, { headers })).text();
  return Number(new RegExp(`^trawl_auth_rejected_total\\{reason="${reason}"\\} (\\d+)$`, 'm').exec(text)?.[1]);
}

test('a revoked agent loses its attempts immediately, and works again with a new identity', {
  timeout: 180_000,
}, async () => {
  const cluster = await startSecured('--lease', LEASE);
  const { folder, identities, nats, address } = cluster;
  const [first, second] = [await identities.add('one', 'agent'), await identities.add('two', 'agent')];
  const operator = await identities.add('ann', 'operator');
  nats.reload();
  const as = ['--server', address, '--identity', operator];
  const [pids, release] = [join(folder, 'pids'), join(folder, 'release')];
  const file = sweepFile(folder, sweepText(pids, release));
  const { sweep } = await trawlJson<{ sweep: string }>('submit', file, ...as);
  const rows = () => trialsOf({ server: address, identity: operator }, sweep);
  const running = (agent: string) => async () => {
    const on = (await rows()).filter((row) => row.state === 'running' && row.agent === agent);
    return on.length === 2 ? on : undefined;
  };
  const revoked = await startSecuredAgent(cluster, first);
  await until('the first agent runs both trials', running('one'));
  const programs = await until('both programs run', () => {
    const started = existsSync(pids) ? readFileSync(pids, 'utf8').trim().split('\n').map(Number) : [];
    return started.length === 2 ? started : undefined;
  });
  const stolen = readIdentity(first, ['agent']);
  const incarnation = /"incarnation":"(\w+)"/.exec(cluster.log())?.[1] ?? '';
  const held = (await rows()).map(({ trial }) => ({ sweepId: sweep, trialId: trial, attempt: 1 }));

  const revokedAt = performance.now();
  revokeIdentity(identities.dir, 'agent-one');
  await until('both attempts have ended', async () => (await rows()).every(({ state }) => state !== 'running'));
  expect(await revoked.daemon.exited).toBe(EXIT.rejected);
  await until('the programs have ended', () => alive(programs).length === 0);
  expect(performance.now() - revokedAt).toBeLessThan(SOON_MS);
  expect(revoked.log()).toMatch(/rejected this agent: the token of one is unknown to this coordinator, or was revoked/);

  // NATS still accepts the certificate of the agent, because the configuration of NATS was not reloaded.
  const connection = await connect({
    servers: nats.url,
    tls: { ca: `${stolen.authority}`, cert: `${stolen.certificate}`, key: `${stolen.key}` },
    inboxPrefix: inboxPrefix('agent', 'one'),
  });
  onTestFinished(() => connection.close());
  const clusterName = /"cluster":"(\w+)"/.exec(cluster.log())?.[1] ?? '';
  const beat = Heartbeat.encode({
    agentId: 'one',
    incarnation,
    held,
    claimed: held,
    leaving: false,
    gpuFigures: [],
    machineFigures: undefined,
  });
  connection.publish(heartbeatSubject(clusterName, 'one'), beat.finish());
  await connection.flush();
  await until('the heartbeat is rejected', async () => (await rejectionCount(cluster, 'unknown_agent')) > 0);
  expect((await rows()).map(({ state }) => state)).not.toContain('running');

  // The trials run on a second agent. Later, the revoked id works again with a new identity.
  const other = await startSecuredAgent(cluster, second, '--dir', join(folder, 'agent-two'));
  await until('the second agent runs both trials', running('two'));
  await other.daemon.killNow();
  revokeIdentity(identities.dir, 'agent-two');
  await until('the attempts of the second agent have ended', async () =>
    (await rows()).every(({ state }) => state !== 'running'),
  );
  await addIdentity(identities.dir, { name: 'one', role: 'agent' }, { days: 2, force: false });
  nats.reload();
  await startSecuredAgent(cluster, first, '--dir', join(folder, 'agent-again'));
  await until('the agent with the new identity runs both trials', running('one'));
  const events = await trawl('events', sweep, ...as);
  expect(events.stdout).toContain('the identity of agent one was revoked');
});

test('the open stream of a revoked user is closed', { timeout: 60_000 }, async () => {
  const { identities, address, folder } = await startSecured();
  const operator = await identities.add('ann', 'operator');
  const viewer = await identities.add('wall', 'viewer');
  const text = 'name: idle\ntrainer: noop\nparameters: {x: {values: [1]}}\n';
  const { sweep } = await trawlJson<{ sweep: string }>(
    ...(['submit', sweepFile(folder, text), '--server', address, '--identity', operator] as const),
  );
  const { shown, options } = channelTo(address, readIdentity(viewer, ['viewer']));
  const client = new SweepServiceClient(address, shown, options);
  onTestFinished(() => client.close());
  const watch = client.watch({ sweep, sinceEventSeq: 0 });
  const ended = once(watch, 'error');
  await once(watch, 'data');
  revokeIdentity(identities.dir, 'user-wall');
  expect((await ended)[0]).toMatchObject({
    code: status.UNAUTHENTICATED,
    details: expect.stringContaining('was revoked'),
  });
});
