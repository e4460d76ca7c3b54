import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addSweep, agentHello, emptyCore, keyOf, LEASE_MS, trialOf } from '../testing/sample-core.ts';
import { onHello } from './agents.ts';
import { onOpen } from './attempts.ts';
import type { Core } from './model.ts';
import { OFFER_PATIENCE_MS, OFFERS_AHEAD_PER_SLOT, renewStuckOffers, schedule, standingOffers } from './scheduler.ts';
import { Step } from './step.ts';
import { onPause } from './sweeps.ts';
import { onTick } from './tick.ts';

const NOW = 1_000;

function coreWith(slots: number): Core {
  const core = emptyCore();
  onHello(core, agentHello('a', 'a1', slots), NOW);
  return core;
}

const offered = (core: Core) => standingOffers(core).map((key) => `${key.sweepId}/${key.trialId}`);

function grant(core: Core, count: number): void {
  for (const key of standingOffers(core).slice(0, count)) {
    onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot: core.leases.size }, NOW, new Step());
  }
}

describe('the window of offers', () => {
  test('is the free slots and as many ahead, however often it is filled', () => {
    const core = coreWith(2);
    addSweep(core, '1', 10);
    schedule(core, NOW);
    schedule(core, NOW);
    expect(offered(core)).toEqual(['1/t0', '1/t1', '1/t2', '1/t3']);
    grant(core, 2);
    schedule(core, NOW);
    expect(offered(core)).toEqual(['1/t2', '1/t3']);
  });

  test('is never larger, whatever slots, trials and grants there are', () => {
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
            expect(standingOffers(core).length).toBeLessThanOrEqual(Math.max(0, free) + slots * OFFERS_AHEAD_PER_SLOT);
            // Nothing that could be offered is held back.
            const open = standingOffers(core).length < free;
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

  test('is empty without an agent, and when the last one is lost nothing more is offered', () => {
    const core = emptyCore();
    addSweep(core, '1', 2);
    expect(schedule(core, NOW).outputs).toEqual([]);
    onHello(core, agentHello('a', 'a1', 1), NOW);
    onTick(core, NOW + LEASE_MS + 1);
    expect(schedule(core, NOW).outputs).toEqual([]);
  });
});

describe('the order of offers', () => {
  test('is that of the sweeps, and in each that of its trials', () => {
    const core = coreWith(2);
    addSweep(core, '1', 3);
    addSweep(core, '2', 3);
    schedule(core, NOW);
    expect(offered(core)).toEqual(['1/t0', '1/t1', '1/t2', '2/t0']);
  });

  test('puts a trial that is tried again where its index says', () => {
    const core = coreWith(1);
    const sweep = addSweep(core, '1', 4);
    schedule(core, NOW);
    expect(offered(core)).toEqual(['1/t0', '1/t1']);
    onPause(core, '1', '');
    sweep.state = 'running';
    schedule(core, NOW);
    expect(offered(core)).toEqual(['1/t0', '1/t1']);
  });

  test('leaves room to the next sweep where one’s concurrency is used up, or it is paused', () => {
    const core = coreWith(2);
    addSweep(core, '1', 3, { concurrency: 1 });
    addSweep(core, '2', 3);
    addSweep(core, '3', 3);
    onPause(core, '2', '');
    schedule(core, NOW);
    expect(offered(core)).toEqual(['1/t0', '3/t0', '3/t1', '3/t2']);
  });
});

describe('offers that nobody takes', () => {
  const later = NOW + OFFER_PATIENCE_MS + 1;

  test('are renewed when slots are free for long enough, and then not for as long again', () => {
    const core = coreWith(1);
    addSweep(core, '1', 2);
    schedule(core, NOW);
    expect(renewStuckOffers(core, later - 1)).toBe(false);
    expect(renewStuckOffers(core, later)).toBe(true);
    expect(renewStuckOffers(core, later + OFFER_PATIENCE_MS)).toBe(false);
    expect(renewStuckOffers(core, later + OFFER_PATIENCE_MS + 1)).toBe(true);
  });

  test('wait while every slot is busy: that is what they are ahead for', () => {
    const core = coreWith(1);
    const sweep = addSweep(core, '1', 2);
    schedule(core, NOW);
    const key = keyOf(sweep, trialOf(sweep, 't0'));
    onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot: core.leases.size }, NOW, new Step());
    expect(offered(core)).toEqual(['1/t1']);
    expect(renewStuckOffers(core, later)).toBe(false);
  });
});
