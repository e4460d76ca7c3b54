import { pino } from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { OfferQueue } from '../../agent/supervisor/offer-queues.ts';
import { startNatsServer } from '../../bin/local/nats-server.ts';
import { Offers } from '../../coordinator/transport/offers.ts';
import { connectNats } from '../../lib/net/connect-nats.ts';
import { offerStream, offerSubject } from '../../proto/subjects.ts';
import { testFolder } from '../support/folder.ts';

const CLUSTER = 'c1';
const POOL = 'p1';
const SLOTS = 2;

test('invalid messages in an offer queue are counted and dropped, and slots receive the offers that follow them', async () => {
  const log = pino({ level: 'silent' });
  const server = await startNatsServer({ storeDir: testFolder() });
  onTestFinished(() => server.stop());
  const nats = await connectNats(server.url, 'test');
  onTestFinished(() => nats.close());
  const offers = new Offers(nats, CLUSTER, log, () => {});
  await offers.reconcile({ pools: () => new Set([POOL]), offers: () => [] });
  const invalid = Array.from({ length: 3 * SLOTS }, (_, at) => ({ sweepId: '1', trialId: `r${at}`, attempt: 1 }));
  for (const key of invalid)
    await nats.jetstream().publish(offerSubject(CLUSTER, POOL, key), Uint8Array.of(0x0a, 0x7f));
  const offered = Array.from({ length: SLOTS }, (_, at) => ({ sweepId: '1', trialId: `t${at}`, attempt: 1 }));
  for (const key of offered) await offers.publish({ pool: POOL, key });

  const got: unknown[] = [];
  let unreadable = 0;
  const events = {
    onOffer: (key: unknown) => void got.push(key),
    onUnreadable: () => {
      unreadable += 1;
    },
  };
  const queue = new OfferQueue(nats, offerStream(CLUSTER, POOL), events, log);
  onTestFinished(() => queue.close());
  queue.want(SLOTS);
  await expect.poll(() => got, { timeout: 10_000 }).toEqual(offered);
  expect(unreadable).toBe(invalid.length);
});
