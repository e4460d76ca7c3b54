/** Tests the permissions of agents on a real nats-server that uses trawl's configuration. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import type { NatsConnection, NatsError } from 'nats';
import { pino } from 'pino';
import { beforeEach, describe, expect, test } from 'vitest';
import { revokeIdentity } from '../../bin/certs/authority.ts';
import { Offers } from '../../coordinator/transport/offers.ts';
import { allHeartbeats, heartbeatSubject, inboxPrefix, offerStream, offerSubject } from '../../proto/subjects.ts';
import { testFolder } from '../support/folder.ts';
import { until } from '../support/until.ts';
import { TestIdentities } from './identities.ts';
import { connectAs, offersOf, type SecuredNats, startSecuredNats } from './secured-nats.ts';

const CLUSTER = 'c1';
const POOL = 'p1';
const KEY = { sweepId: '1', trialId: 't', attempt: 1 };
const OFFER = offerSubject(CLUSTER, POOL, KEY);

let identities: TestIdentities;
let nats: SecuredNats;
let coordinator: NatsConnection;
let agent: NatsConnection;

beforeEach(async () => {
  identities = await TestIdentities.init(join(testFolder(), 'certs'));
  const folder = await identities.add('a', 'agent');
  await identities.add('b', 'agent');
  nats = await startSecuredNats(identities.server);
  coordinator = await connectAs(nats, identities.server, inboxPrefix('coordinator', 'coordinator'));
  const offers = new Offers(coordinator, CLUSTER, pino({ level: 'silent' }), () => {});
  expect(await offers.reconcile({ pools: () => new Set([POOL]), offers: () => [{ pool: POOL, key: KEY }] })).toBe(1);
  agent = await connectAs(nats, folder, inboxPrefix('agent', 'a'));
});

function subscribing(subject: string): Promise<NatsError | null> {
  return new Promise((resolve, reject) => {
    agent.subscribe(subject, { callback: (error) => resolve(error) });
    agent.flush().then(() => resolve(null), reject);
  });
}

/** Publishes a message on the subject, and resolves once the server has rejected the message. */
async function expectPublishRejected(subject: string): Promise<void> {
  const statuses = agent.status();
  agent.publish(subject, 'x');
  for await (const { permissionContext } of statuses) {
    if (permissionContext?.operation === 'publish' && permissionContext.subject === subject) return;
  }
  throw new Error('the connection ended');
}

describe('NATS permissions of an agent', () => {
  test('an agent can pull and acknowledge offers, and send heartbeats', async () => {
    const beats: string[] = [];
    coordinator.subscribe(allHeartbeats(CLUSTER), { callback: (_, message) => beats.push(message.subject) });
    await coordinator.flush();
    agent.publish(heartbeatSubject(CLUSTER, 'a'), 'x');
    const consumer = offersOf(agent, offerStream(CLUSTER, POOL));
    const message = await consumer.next({ expires: 5_000, bind: true });
    expect(message?.subject).toBe(OFFER);
    message?.working();
    message?.ack();
    await until('the heartbeat has arrived', () => beats.length > 0);
    expect(beats).toEqual([heartbeatSubject(CLUSTER, 'a')]);
    const streams = (await coordinator.jetstreamManager()).streams;
    await until(
      'the offer has been removed from the stream',
      async () => (await streams.info(offerStream(CLUSTER, POOL))).state.messages === 0,
    );
  });

  test.each([
    ['an offer', OFFER],
    ["another agent's heartbeat", heartbeatSubject(CLUSTER, 'b')],
    ['a reply to the coordinator', `${inboxPrefix('coordinator', 'coordinator')}.x`],
    ['a reply to another agent', `${inboxPrefix('agent', 'b')}.x`],
    ['a request to delete the stream', `$JS.API.STREAM.DELETE.${offerStream(CLUSTER, POOL)}`],
    ['a request to purge the stream', `$JS.API.STREAM.PURGE.${offerStream(CLUSTER, POOL)}`],
    ['a request to create another consumer', `$JS.API.CONSUMER.CREATE.${offerStream(CLUSTER, POOL)}`],
    ['a request to delete the consumer', `$JS.API.CONSUMER.DELETE.${offerStream(CLUSTER, POOL)}.agents`],
    ["a request for the consumer's state", `$JS.API.CONSUMER.INFO.${offerStream(CLUSTER, POOL)}.agents`],
    ['the acknowledgement of a message of another consumer', `$JS.ACK.${offerStream(CLUSTER, POOL)}.other.1.1.1.1.0`],
  ])('an agent cannot publish %s', async (_what, subject) => {
    await expectPublishRejected(subject);
    const streams = (await coordinator.jetstreamManager()).streams;
    expect((await streams.info(offerStream(CLUSTER, POOL))).state.messages).toBe(1);
  });

  test.each([
    '>',
    `trawl.${CLUSTER}.offer.>`,
    allHeartbeats(CLUSTER),
    `${inboxPrefix('agent', 'b')}.>`,
    `${inboxPrefix('coordinator', 'coordinator')}.>`,
    '_INBOX.>',
    '$JS.>',
  ])('an agent cannot subscribe to %s', async (subject) => {
    expect(await subscribing(subject)).toMatchObject({ code: 'PERMISSIONS_VIOLATION' });
  });

  test('an agent cannot delete the stream through the client', async () => {
    const deleting = agent.jetstreamManager().then((manager) => manager.streams.delete(offerStream(CLUSTER, POOL)));
    await expect(deleting).rejects.toThrow(/Permissions Violation/);
  });
});

describe('NATS permissions of agents whose names contain dots', () => {
  test.each(['gpu1.lab.example.org', 'gpu1.lab', '10.0.0.7'])(
    'an agent with the name %s can send only its own heartbeats',
    async (id) => {
      const folder = await identities.add(id, 'agent');
      nats.reload();
      await until('the server has reloaded its users', () => nats.log().includes('Reloaded server configuration'));
      agent = await connectAs(nats, folder, inboxPrefix('agent', id));
      const beats: string[] = [];
      coordinator.subscribe(allHeartbeats(CLUSTER), { callback: (_, message) => beats.push(message.subject) });
      await coordinator.flush();
      agent.publish(heartbeatSubject(CLUSTER, id), 'x');
      await expectPublishRejected(heartbeatSubject(CLUSTER, `${id}.x`));
      await expectPublishRejected(heartbeatSubject(CLUSTER, 'gpu1'));
      await expectPublishRejected(`trawl.${CLUSTER}.heartbeat.${id}`);
      await until('the heartbeat has arrived', () => beats.length > 0);
      expect(beats).toEqual([heartbeatSubject(CLUSTER, id)]);
      const consumer = offersOf(agent, offerStream(CLUSTER, POOL));
      expect((await consumer.next({ expires: 5_000, bind: true }))?.subject).toBe(OFFER);
    },
  );
});

describe('a connection to NATS', () => {
  test('a connection to NATS is allowed for agents and the coordinator, but not for users or revoked identities', async () => {
    const user = await identities.add('ann', 'operator');
    await expect(connectAs(nats, user, inboxPrefix('operator', 'ann'))).rejects.toThrow(/Authorization/);
    const folder = await identities.add('late', 'agent');
    await expect(connectAs(nats, folder, inboxPrefix('agent', 'late'))).rejects.toThrow(/Authorization/);
    nats.reload();
    await until('the server has reloaded its users', () => nats.log().includes('Reloaded server configuration'));
    await connectAs(nats, folder, inboxPrefix('agent', 'late'));
    revokeIdentity(identities.dir, 'agent-a');
    const closed = agent.closed();
    nats.reload();
    await closed;
    expect(agent.isClosed()).toBe(true);
  });

  test('after an agent gets a new identity, a connection to NATS with its earlier certificate is rejected', async () => {
    const stolen = join(testFolder(), 'stolen');
    cpSync(join(identities.dir, 'agent-a'), stolen, { recursive: true });
    revokeIdentity(identities.dir, 'agent-a');
    const folder = await identities.add('a', 'agent');
    nats.reload();
    await until('the server has reloaded its users', () => nats.log().includes('Reloaded server configuration'));
    await expect(connectAs(nats, stolen, inboxPrefix('agent', 'a'))).rejects.toThrow(/Authorization/);
    await connectAs(nats, folder, inboxPrefix('agent', 'a'));
  });

  test('a connection to NATS requires a certificate of the authority', async () => {
    const elsewhere = await TestIdentities.init(join(testFolder(), 'certs'));
    const stranger = await elsewhere.add('a', 'agent');
    await expect(connectAs(nats, stranger, inboxPrefix('agent', 'a'))).rejects.toThrow(/certificate/);
    await expect(connectAs({ ...nats, url: nats.url.replace('tls:', 'nats:') }, stranger, 'x')).rejects.toThrow();
  });
});
