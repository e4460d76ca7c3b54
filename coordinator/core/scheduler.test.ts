import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import {
  addSweep,
  agentHello,
  emptyCore,
  LEASE_MS,
  sampleKey,
  sampleTrial,
} from '../../test/support/coordinator/sample-core.ts';
import { onHello } from './agents.ts';
import { onOpen } from './attempts.ts';
import { onDrain, onUndrain } from './drain.ts';
import type { Core, Sweep } from './model.ts';
import { MAX_PREFETCH_PER_SLOT } from './prefetch.ts';
import {
  EXCESS_PATIENCE_MS,
  IDLE_PATIENCE_MS,
  livePools,
  OFFER_PATIENCE_MS,
  OFFERS_AHEAD_PER_SLOT,
  openOffers,
  schedule,
  takeStuckPools,
} from './scheduler.ts';
import { onPause } from './sweeps.ts';
import { onTick } from './tick.ts';

const NOW = 1_000;

function coreWith(slots: number): Core {
  const core = emptyCore();
  onHello(core, agentHello('a', 'a1', slots), NOW);
  return core;
}

const offered = (core: Core) => openOffers(core).map(({ key }) => `${key.sweepId}/${key.trialId}`);

function grant(core: Core, count: number): void {
  for (const { key } of openOffers(core).slice(0, count)) {
    onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot: core.leases.size }, NOW);
  }
}

describe('the window of offers', () => {
  test('the window has one offer per free slot plus the offers made in advance, however often it is filled', () => {
    const core = coreWith(2);
    addSweep(core, '1', 10);
    schedule(core, NOW);
    schedule(core, NOW);
    expect(offered(core)).toEqual(['1/t0', '1/t1', '1/t2', '1/t3']);
    grant(core, 2);
    schedule(core, NOW);
    expect(offered(core)).toEqual(['1/t2', '1/t3']);
  });

  /** Returns a core with eight free slots, and a sweep of short trials that has 144 offers. */
  function coreWithLongQueue(): { core: Core; short: Sweep } {
    const core = coreWith(8);
    const short = addSweep(core, '1', 400);
    short.share.success.meanMs = 1;
    schedule(core, NOW);
    expect(short.offers.size).toBe(8 + 8 * (OFFERS_AHEAD_PER_SLOT + MAX_PREFETCH_PER_SLOT));
    return { core, short };
  }

  test('if the window shrinks because a sweep without a succeeded trial arrives, the newest offers are withdrawn', () => {
    const { core, short } = coreWithLongQueue();
    addSweep(core, '2', 4);
    expect(schedule(core, NOW + 1).changes).toEqual([]);
    const { changes } = schedule(core, NOW + 1 + EXCESS_PATIENCE_MS);
    expect(offered(core)).toEqual(Array.from({ length: 16 }, (_, index) => `1/t${index}`));
    expect(short.counts).toMatchObject({ offered: 16, pending: 384 });
    expect(changes.filter((change) => change.kind === 'trial' && change.state === 'pending')).toHaveLength(128);
    expect(schedule(core, NOW + 2 + EXCESS_PATIENCE_MS).changes).toEqual([]);
  });

  test('no offer is withdrawn if varying trial durations shrink the window only briefly', () => {
    const { core, short } = coreWithLongQueue();
    for (let at = 1; at < 4 * EXCESS_PATIENCE_MS; at += 100) {
      short.share.success.meanMs = at % 1_000 === 1 ? 1 : 60;
      expect(schedule(core, NOW + at).changes).toEqual([]);
    }
    expect(short.offers.size).toBe(144);
  });

  test('a sweep of higher priority displaces all offers of short trials if its own trials fill the window', () => {
    const { core, short } = coreWithLongQueue();
    const urgent = addSweep(core, '2', 40, {}, undefined, 1);
    schedule(core, NOW + 1);
    expect([short.offers.size, urgent.offers.size]).toEqual([0, 16]);
  });

  test('if the window shrinks, offers of lower priority are withdrawn first, even if they are older', () => {
    const { core, short } = coreWithLongQueue();
    const urgent = addSweep(core, '2', 10, {}, undefined, 1);
    urgent.share.success.meanMs = 1;
    schedule(core, NOW + 1);
    expect([short.offers.size, urgent.offers.size]).toEqual([134, 10]);
    short.share.success.meanMs = 60_000;
    schedule(core, NOW + 2);
    schedule(core, NOW + 2 + EXCESS_PATIENCE_MS);
    expect([short.offers.size, urgent.offers.size]).toEqual([6, 10]);
  });

  test('if the window shrinks by less than half, no offer is withdrawn, and no offer is made until the window has room', () => {
    const { core, short } = coreWithLongQueue();
    short.share.success.meanMs = 11;
    expect(schedule(core, NOW + 1).changes).toEqual([]);
    expect(short.offers.size).toBe(144);
    grant(core, 8);
    expect(schedule(core, NOW + 1).changes).toEqual([]);
    expect(short.offers.size).toBe(136);
  });

  test('the number of open offers never exceeds the size of the window, for any slots, trials and grants', () => {
    const size = fc.nat({ max: 6 });
    fc.assert(
      fc.property(
        size,
        fc.array(fc.tuple(size, fc.constantFrom(undefined, 1, 3))),
        fc.array(size),
        (slots, sweeps, grants) => {
          const core = coreWith(slots);
          for (const [at, [trials, concurrency]] of sweeps.entries()) addSweep(core, `${at}`, trials, { concurrency });
          for (const count of grants) {
            schedule(core, NOW);
            const free = slots - core.leases.size;
            expect(openOffers(core).length).toBeLessThanOrEqual(Math.max(0, free) + slots * OFFERS_AHEAD_PER_SLOT);
            const open = openOffers(core).length < free;
            const waiting = [...core.sweeps.values()].some(
              ({ counts, policy }) =>
                counts.pending > 0 &&
                counts.offered + counts.running < (policy.concurrency ?? Number.POSITIVE_INFINITY),
            );
            expect(open && waiting).toBe(false);
            grant(core, Math.min(count, free));
          }
        },
      ),
    );
  });

  test('the window of offers is empty before an agent connects and after the last agent is lost', () => {
    const core = emptyCore();
    addSweep(core, '1', 2);
    expect(schedule(core, NOW).outputs).toEqual([]);
    onHello(core, agentHello('a', 'a1', 1), NOW);
    onTick(core, NOW + LEASE_MS + 1);
    expect(schedule(core, NOW).outputs).toEqual([]);
  });
});

describe('the order of offers', () => {
  test('offers alternate between sweeps, and the trials of a sweep are offered in the order of their indexes', () => {
    const core = coreWith(2);
    addSweep(core, '1', 3);
    addSweep(core, '2', 3);
    schedule(core, NOW);
    expect(offered(core)).toEqual(['1/t0', '1/t1', '2/t0', '2/t1']);
  });

  test('a withdrawn trial is offered again in order of its index', () => {
    const core = coreWith(1);
    const sweep = addSweep(core, '1', 4);
    schedule(core, NOW);
    expect(offered(core)).toEqual(['1/t0', '1/t1']);
    onPause(core, { sweepId: '1', reason: '' });
    sweep.state = 'running';
    schedule(core, NOW);
    expect(offered(core)).toEqual(['1/t0', '1/t1']);
  });

  test('offers continue with the next sweep when a sweep is paused or has reached its concurrency limit', () => {
    const core = coreWith(2);
    addSweep(core, '1', 3, { concurrency: 1 });
    addSweep(core, '2', 3);
    addSweep(core, '3', 3);
    onPause(core, { sweepId: '2', reason: '' });
    schedule(core, NOW);
    expect(offered(core)).toEqual(['1/t0', '3/t0', '3/t1', '3/t2']);
  });
});

describe('offers that no agent takes', () => {
  const later = NOW + OFFER_PATIENCE_MS + 1;

  test('if no agent takes the offers of a pool while slots are free, the pool is reported as stuck, once per period', () => {
    const core = coreWith(1);
    addSweep(core, '1', 2);
    schedule(core, NOW);
    const pools = [...livePools(core)];
    expect(pools).toHaveLength(1);
    expect(takeStuckPools(core, later - 1)).toEqual([]);
    expect(takeStuckPools(core, later)).toEqual(pools);
    expect(takeStuckPools(core, later + OFFER_PATIENCE_MS)).toEqual([]);
    expect(takeStuckPools(core, later + OFFER_PATIENCE_MS + 1)).toEqual(pools);
  });

  test('a pool is not stuck while every slot is busy', () => {
    const core = coreWith(1);
    const sweep = addSweep(core, '1', 2);
    schedule(core, NOW);
    const key = sampleKey(sweep, sampleTrial(sweep, 't0'));
    onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot: core.leases.size }, NOW);
    expect(offered(core)).toEqual(['1/t1']);
    expect(takeStuckPools(core, later)).toEqual([]);
  });
});

describe('offers', () => {
  const gpu = { backend: 'tensorflow-gpu', slotFacts: [{ gpus: 1, vramBytes: 8 * 2 ** 30 }] };

  function mixed(): Core {
    const core = emptyCore();
    onHello(core, { ...agentHello('gpu', 'g1', 1), ...gpu }, NOW);
    onHello(core, agentHello('cpu', 'c1', 1), NOW);
    onHello(core, { ...agentHello('zone', 'z1', 1), labels: { zone: 'a' } }, NOW);
    return core;
  }

  const poolOfAgent = (core: Core, id: string) => core.agents.get(id)?.pools[0];
  const offeredTo = (core: Core, id: string) =>
    openOffers(core)
      .filter(({ pool }) => pool === poolOfAgent(core, id))
      .map(({ key }) => `${key.sweepId}/${key.trialId}`);

  test('an offer goes to slots that meet the demands, and a sweep without suitable slots blocks no other sweep', () => {
    const core = mixed();
    const resources = { labels: { zone: 'nowhere' } };
    addSweep(core, '1', 10, { resources });
    addSweep(core, '2', 1, { resources: { gpu: 1, labels: {} } });
    addSweep(core, '3', 1, { resources: { labels: { zone: 'a' } } });
    addSweep(core, '4', 9, { resources: { gpu: false, labels: {} } });
    schedule(core, NOW);
    expect(core.sweeps.get('1')?.counts).toMatchObject({ pending: 10, offered: 0 });
    expect(offeredTo(core, 'gpu')).toEqual(['2/t0']);
    expect(offeredTo(core, 'zone')).toEqual(['3/t0', '4/t2']);
    expect(offeredTo(core, 'cpu')).toEqual(['4/t0', '4/t1']);
  });

  test('an offer goes to free slots before busy slots', () => {
    const core = mixed();
    const busy = addSweep(core, '1', 1, { resources: { gpu: 1, labels: {} } });
    schedule(core, NOW);
    const key = sampleKey(busy, sampleTrial(busy, 't0'));
    onOpen(core, { key, agentId: 'gpu', incarnation: 'g1', slot: 0 }, NOW);
    addSweep(core, '2', 2);
    schedule(core, NOW);
    expect([offeredTo(core, 'gpu'), offeredTo(core, 'cpu'), offeredTo(core, 'zone')]).toEqual([[], ['2/t0'], ['2/t1']]);
  });

  test('an offer made in advance to a busy slot is also made to a free slot when no other trial is pending', () => {
    const core = emptyCore();
    onHello(core, { ...agentHello('gpu', 'g1', 1), ...gpu }, NOW);
    const sweep = addSweep(core, '1', 2);
    schedule(core, NOW);
    onOpen(core, { key: sampleKey(sweep, sampleTrial(sweep, 't0')), agentId: 'gpu', incarnation: 'g1', slot: 0 }, NOW);
    expect(offeredTo(core, 'gpu')).toEqual(['1/t1']);
    onHello(core, agentHello('cpu', 'c1', 1), NOW);
    const { changes, outputs } = schedule(core, NOW);
    expect(changes).toEqual([]);
    expect(outputs).toMatchObject([{ kind: 'offer', pool: poolOfAgent(core, 'cpu'), key: { trialId: 't1' } }]);
    expect(schedule(core, NOW).outputs).toEqual([]);
    const claim = { key: sampleKey(sweep, sampleTrial(sweep, 't1')), agentId: 'gpu', incarnation: 'g1', slot: 0 };
    expect(onOpen(core, claim, NOW).answer).toMatchObject({ granted: true });
  });

  test('an offer is withdrawn when the only agent that can run the trial is drained', () => {
    const core = mixed();
    const sweep = addSweep(core, '1', 1, { resources: { gpu: 1, labels: {} } });
    schedule(core, NOW);
    expect(sweep.counts.offered).toBe(1);
    onDrain(core, { agentId: 'gpu', graceMs: 0, reason: '' }, NOW);
    schedule(core, NOW);
    expect(sweep.counts).toMatchObject({ pending: 1, offered: 0 });
    onUndrain(core, { agentId: 'gpu' });
    schedule(core, NOW);
    expect(offeredTo(core, 'gpu')).toEqual(['1/t0']);
  });

  test('a claim by a slot that cannot run the trial starts no attempt, and the offer stays open', () => {
    const core = mixed();
    const sweep = addSweep(core, '1', 1, { resources: { gpu: 1, labels: { zone: 'b' } } });
    onHello(core, { ...agentHello('right', 'r1', 1), ...gpu, labels: { zone: 'b' } }, NOW);
    schedule(core, NOW);
    const key = sampleKey(sweep, sampleTrial(sweep, 't0'));
    const { step, answer } = onOpen(core, { key, agentId: 'zone', incarnation: 'z1', slot: 0 }, NOW);
    expect(answer).toEqual({
      granted: false,
      refusal: {
        code: RefusalCode.UNFIT,
        message: 'slot 0 of agent zone: no GPU (the sweep requires 1); label zone is a (the sweep requires b)',
      },
    });
    expect(step.changes).toEqual([]);
    expect(sampleTrial(sweep, 't0')).toMatchObject({ state: 'offered', attempts: 0, failures: {} });
  });
});

test('offers that the idle slots of one pool do not take are also made to another pool, once per trial', () => {
  const core = emptyCore();
  onHello(core, agentHello('stalled', 's1', 4), 0);
  const sweep = addSweep(core, '1', 4);
  schedule(core, 0);
  onHello(core, { ...agentHello('idle', 'i1', 2), labels: { zone: 'a' } }, 1_000);
  const pools = () => [...sweep.offers].map(({ pool }) => pool);
  const [ofStalled] = pools();
  expect(pools()).toEqual(Array(4).fill(ofStalled));
  expect(schedule(core, IDLE_PATIENCE_MS).outputs).toEqual([]);
  const { outputs } = schedule(core, IDLE_PATIENCE_MS + 1);
  expect(outputs.map(({ kind }) => kind)).toEqual(['offer', 'offer']);
  expect(pools().filter((pool) => pool !== ofStalled)).toHaveLength(2);
  expect(schedule(core, IDLE_PATIENCE_MS + 2).outputs).toEqual([]);
});

test('an offer that no pool takes is made to each pool once, and then the queue of the last pool counts as stuck', () => {
  const core = emptyCore();
  for (const zone of ['a', 'b', 'c']) onHello(core, { ...agentHello(zone, `${zone}1`, 2), labels: { zone } }, 0);
  const sweep = addSweep(core, '1', 1);
  const offers = [];
  const stuck = [];
  for (let now = 0; now <= 2 * OFFER_PATIENCE_MS + 4 * IDLE_PATIENCE_MS; now += 1_000) {
    offers.push(...schedule(core, now).outputs.flatMap((output) => (output.kind === 'offer' ? [output.pool] : [])));
    stuck.push(...takeStuckPools(core, now));
  }
  const [pool] = [...sweep.offers].map(({ pool }) => pool);
  expect(new Set(offers.slice(0, 3)).size).toBe(3);
  expect(stuck[0]).toBe(offers[2]);
  expect(offers.at(-1)).toBe(pool);
  expect(stuck.length).toBeGreaterThan(0);
});
