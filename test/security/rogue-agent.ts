/**
 * An attack on a real nats-server by a client that holds an agent's certificate. The client sends every request with
 * every reply subject, because a NATS server does not check whether the client may publish on the reply subject.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConsumerInfo, JsMsg, NatsConnection, StreamInfo } from 'nats';
import { pino } from 'pino';
import { expect } from 'vitest';
import { Offers } from '../../coordinator/transport/offers.ts';
import type { AttemptKey } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { allHeartbeats, heartbeatSubject, inboxPrefix, offerStream, offerSubject } from '../../proto/subjects.ts';
import { testFolder } from '../support/folder.ts';
import { until } from '../support/until.ts';
import { TestIdentities } from './identities.ts';
import { connectAs, offersOf, type SecuredNats, startSecuredNats } from './secured-nats.ts';

const CLUSTER = 'c1';
/**
 * The attacked pool, the pool of the agent that works during the attack, and a pool whose offers the attacker removes.
 */
const [ATTACKED, HONEST, EMPTIED] = ['p1', 'p2', 'p3'];
const STREAM = offerStream(CLUSTER, ATTACKED);
const OTHER_STREAM = offerStream(CLUSTER, HONEST);
const EMPTIED_STREAM = offerStream(CLUSTER, EMPTIED);
const OFFERS = 80;
/** How long to wait for a redelivery. The consumer redelivers an offer if it gets no answer within 5 s. */
const REDELIVERY_MS = 6_000;

const keyOf = (trial: number): AttemptKey => ({ sweepId: '1', trialId: `t${trial}`, attempt: 1 });

interface Attacked {
  readonly nats: SecuredNats;
  readonly coordinator: NatsConnection;
  readonly rogue: NatsConnection;
  readonly honest: NatsConnection;
  /** A NATS connection that sees every message of the coordinator's account. */
  readonly observer: NatsConnection;
  readonly offers: Offers;
}

/** Starts a server with the coordinator, the rogue agent `a`, the honest agent `b` and an observer. */
async function startAttacked(binary: string | undefined): Promise<Attacked> {
  const identities = await TestIdentities.init(join(testFolder(), 'certs'));
  const rogueFolder = await identities.add('a', 'agent');
  const honestFolder = await identities.add('b', 'agent');
  const observerFolder = await identities.add('observer', 'viewer');
  const accounts = join(identities.server, 'nats-accounts.conf');
  const user = '{ user: "CN=observer,OU=viewer" }';
  writeFileSync(accounts, readFileSync(accounts, 'utf8').replace('users: [', `users: [\n      ${user}`));
  const nats = await startSecuredNats(identities.server, binary);
  const coordinator = await connectAs(nats, identities.server, inboxPrefix('coordinator', 'coordinator'));
  const offers = new Offers(coordinator, CLUSTER, pino({ level: 'silent' }), () => {});
  const queued = [ATTACKED, EMPTIED].flatMap((pool) =>
    Array.from({ length: OFFERS }, (_, trial) => ({ pool, key: keyOf(trial) })),
  );
  await offers.reconcile({ pools: () => new Set([ATTACKED, HONEST, EMPTIED]), offers: () => queued });
  return {
    nats,
    coordinator,
    offers,
    rogue: await connectAs(nats, rogueFolder, inboxPrefix('agent', 'a')),
    honest: await connectAs(nats, honestFolder, inboxPrefix('agent', 'b')),
    observer: await connectAs(nats, observerFolder, '_INBOX_observer'),
  };
}

/**
 * Forbidden subjects. A request of an agent must cause no message on a forbidden subject, even if this subject is the
 * reply subject of the request.
 */
const FORBIDDEN = [
  ...[STREAM, OTHER_STREAM].flatMap((stream) => [
    `$JS.API.STREAM.DELETE.${stream}`,
    `$JS.API.STREAM.PURGE.${stream}`,
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.STREAM.UPDATE.${stream}`,
    `$JS.API.STREAM.MSG.GET.${stream}`,
    `$JS.API.STREAM.MSG.DELETE.${stream}`,
    `$JS.API.STREAM.SNAPSHOT.${stream}`,
    `$JS.API.STREAM.LEADER.STEPDOWN.${stream}`,
    `$JS.API.DIRECT.GET.${stream}`,
    `$JS.API.CONSUMER.DELETE.${stream}.agents`,
    `$JS.API.CONSUMER.INFO.${stream}.agents`,
    `$JS.API.CONSUMER.CREATE.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.other`,
    `$JS.API.CONSUMER.DURABLE.CREATE.${stream}.other`,
    `$JS.API.CONSUMER.LIST.${stream}`,
    `$JS.API.CONSUMER.LEADER.STEPDOWN.${stream}.agents`,
  ]),
  ...['$JS.API.INFO', '$JS.API.STREAM.LIST', '$JS.API.STREAM.NAMES', '$JS.API.STREAM.CREATE.other'],
  ...['$JS.API.META.LEADER.STEPDOWN', '$JS.API.ACCOUNT.PURGE.TRAWL', '$JS.API.CONSUMER.MSG.NEXT.other.other'],
  ...['$SYS.REQ.SERVER.PING', '$SYS.REQ.ACCOUNT.TRAWL.CONNZ', '$SYS.REQ.USER.INFO', '$SYS.ACCOUNT.TRAWL.CONNECT'],
  offerSubject(CLUSTER, ATTACKED, keyOf(99)),
  offerSubject(CLUSTER, HONEST, keyOf(99)),
  heartbeatSubject(CLUSTER, 'b'),
  `${inboxPrefix('agent', 'b')}.rogue`,
  `${inboxPrefix('coordinator', 'coordinator')}.rogue`,
  '_INBOX_observer.rogue',
  '_R_.rogue',
  'rogue',
];

const SUBSCRIPTIONS = [
  ...['>', '*', '*.>', '$JS.>', '$JS.API.>', '$JS.ACK.>', '$SYS.>', '_INBOX.>', '_R_.>', '$JS.EVENT.>'],
  ...[`trawl.${CLUSTER}.offer.>`, allHeartbeats(CLUSTER), heartbeatSubject(CLUSTER, 'b')],
  ...[`${inboxPrefix('agent', 'b')}.>`, `${inboxPrefix('coordinator', 'coordinator')}.>`],
];

const NEXT = `$JS.API.CONSUMER.MSG.NEXT.${STREAM}.agents`;
/** Permitted subjects that are used as reply subjects. None of them carries a message to another agent. */
const PERMITTED = [NEXT, heartbeatSubject(CLUSTER, 'a'), `${inboxPrefix('agent', 'a')}.rogue`];
const REPLIES = [...FORBIDDEN, ...PERMITTED];
const PULLS = ['', '{"batch":1,"no_wait":true}', '{"batch":2,"expires":1000000}', '{"batch":1,"expires":-1}', '{'];
/** Answers that leave an offer in its queue, and answers that remove the offer from the queue. */
const ANSWERS = ['+WPI', 'x', '-NAK'];
const REMOVALS = ['+ACK', '+NXT', '+NXT {"batch":1,"no_wait":true}', '+TERM', ''];

/** Sends permitted and forbidden requests with each reply subject. */
async function attack(rogue: NatsConnection): Promise<void> {
  // The server answers an acknowledgement with an empty message. If the reply subject is the subject that deletes a
  // stream, this empty message is a valid request to delete the stream.
  for (const [at, reply] of REPLIES.entries()) {
    await answerOffer(rogue, STREAM, ANSWERS, reply);
    await answerOffer(rogue, EMPTIED_STREAM, [REMOVALS[at % REMOVALS.length] ?? ''], reply);
  }
  for (const reply of REPLIES) {
    for (const body of PULLS) rogue.publish(NEXT, body, { reply });
    rogue.publish(heartbeatSubject(CLUSTER, 'a'), 'x', { reply });
    for (const subject of FORBIDDEN) rogue.publish(subject, '', { reply });
    await rogue.flush();
  }
}

/** Takes an offer, and answers the offer once with each body. The answers have the given reply subject. */
async function answerOffer(rogue: NatsConnection, stream: string, bodies: readonly string[], reply: string) {
  const offer = await offersOf(rogue, stream).next({ expires: 2 * REDELIVERY_MS, bind: true });
  if (offer === null) throw new Error('the rogue agent received no offer');
  for (const body of bodies) rogue.publish(replyOf(offer), body, { reply });
  await rogue.flush();
}

/** Returns the subject on which an offer is answered. The NATS client keeps this subject private. */
function replyOf(offer: JsMsg): string {
  const subject = (offer as unknown as { readonly msg: { readonly reply?: string } }).msg.reply;
  if (subject === undefined) throw new Error('the offer cannot be acknowledged');
  return subject;
}

interface StreamState {
  readonly stream: StreamInfo['config'];
  readonly created: string;
  readonly consumer: ConsumerInfo['config'];
  readonly subjects: readonly string[];
}

async function stateOf(coordinator: NatsConnection, stream: string): Promise<StreamState> {
  const manager = await coordinator.jetstreamManager();
  const { config, created, state } = await manager.streams.info(stream, { subjects_filter: '>' });
  const consumer = await manager.consumers.info(stream, 'agents');
  const subjects = Object.keys(state.subjects ?? {}).sort();
  return { stream: config, created: `${created} ${consumer.created}`, consumer: consumer.config, subjects };
}

/** Until `stop` is called, publishes offers that the honest agent takes. `stop` returns the number of offers. */
function workMeanwhile({ offers, honest }: Attacked): { stop(): Promise<number> } {
  let stopped = false;
  const consumer = offersOf(honest, OTHER_STREAM);
  const working = (async () => {
    for (let taken = 0; ; taken++) {
      if (stopped) return taken;
      const key = keyOf(1_000 + taken);
      await offers.publish({ pool: HONEST, key });
      const offer = await consumer.next({ expires: 5_000, bind: true });
      expect(offer?.subject).toBe(offerSubject(CLUSTER, HONEST, key));
      expect(await offer?.ackAck()).toBe(true);
    }
  })();
  return {
    stop() {
      stopped = true;
      return working;
    },
  };
}

function collect(connection: NatsConnection, subject: string): string[] {
  const seen: string[] = [];
  connection.subscribe(subject, { callback: (_, message) => seen.push(message.subject) });
  return seen;
}

/**
 * Checks that an attack changes nothing, and that another agent works during the attack.
 * @param binary see startSecuredNats
 */
export async function expectHarmlessAttack(binary?: string): Promise<void> {
  const attacked = await startAttacked(binary);
  const { coordinator, rogue, honest, observer } = attacked;
  const states = () => Promise.all([STREAM, OTHER_STREAM].map((stream) => stateOf(coordinator, stream)));
  const seen = collect(observer, '>');
  const coordinatorInbox = collect(coordinator, `${inboxPrefix('coordinator', 'coordinator')}.rogue`);
  const beats = collect(coordinator, allHeartbeats(CLUSTER));
  await Promise.all([observer.flush(), coordinator.flush()]);
  const before = await states();
  const emptied = await stateOf(coordinator, EMPTIED_STREAM);
  expect(before.map(({ subjects }) => subjects.length)).toEqual([OFFERS, 0]);
  seen.length = 0;

  const work = workMeanwhile(attacked);
  await attack(rogue);
  expect(await work.stop()).toBeGreaterThan(REPLIES.length);
  expect(seen).toContain(heartbeatSubject(CLUSTER, 'a'));

  await observer.flush();
  const reached = new Set(seen.filter((subject) => FORBIDDEN.includes(subject)));
  expect([...reached]).toEqual([]);
  expect(coordinatorInbox).toEqual([]);
  expect(new Set(beats)).toEqual(new Set([heartbeatSubject(CLUSTER, 'a')]));
  expect(await states()).toEqual(before);
  expect({ ...(await stateOf(coordinator, EMPTIED_STREAM)), subjects: emptied.subjects }).toEqual(emptied);

  // Every offer is still delivered.
  const left = new Set<string>();
  const consumer = offersOf(honest, STREAM);
  await until('every offer of the attacked queue is delivered', async () => {
    const offer = await consumer.next({ expires: REDELIVERY_MS, bind: true });
    if (offer !== null) left.add(offer.subject);
    offer?.ack();
    return left.size === OFFERS;
  });
  expect([...left].sort()).toEqual(before[0]?.subjects);
}

/** Checks that the rogue agent can subscribe to nothing but its own inbox. */
export async function expectNoSubscription(binary?: string): Promise<void> {
  const { rogue } = await startAttacked(binary);
  for (const subject of SUBSCRIPTIONS) {
    const error = await new Promise((resolve, reject) => {
      rogue.subscribe(subject, { callback: resolve });
      rogue.flush().then(() => resolve(undefined), reject);
    });
    expect(error, subject).toMatchObject({ code: 'PERMISSIONS_VIOLATION' });
  }
}
