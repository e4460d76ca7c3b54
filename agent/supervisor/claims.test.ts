import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import type { Claim, Decision } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { MAX_CLAIMS, MAX_SLOTS } from '../../proto/limits.ts';
import { Claims } from './claims.ts';
import { GATHER_MS, Gathering, PATIENT_GATHER_MS } from './gathering.ts';
import type { SlotEffect } from './slot-effects.ts';
import { newSlots } from './slots.ts';

const WAIT = { timeout: 20_000 };

const key = (slot: number) => ({ sweepId: '1', trialId: `${slot}`, attempt: 1 });

test('if all slots claim at the same time, the claims are sent in groups of a size that the coordinator accepts, and each claim gets its own answer', async () => {
  const slots = newSlots(MAX_SLOTS);
  for (const [at, slot] of slots.entries()) slot.claims = [{ key: key(at), offer: at }];
  const groups: Claim[][] = [];
  const open = async (claims: Claim[]): Promise<Decision[]> => {
    groups.push(claims);
    return claims.map(({ key }) => {
      const refusal = { code: 'REFUSAL_CODE_ENDED', message: 'the trial has ended' } as const;
      return { key, answer: { $case: 'refusal', refusal }, mates: [] };
    });
  };
  const onEffects = vi.fn<(effects: readonly SlotEffect[]) => void>();
  const gathering = new Gathering(() => claims.send());
  const context = { session: () => ({ open }), isTaking: () => true, gathering };
  const claims: Claims = new Claims(slots, context, { onEffects, onDelayed: () => {} }, pino({ level: 'silent' }));
  for (let slot = 0; slot < MAX_SLOTS; slot++) claims.add({ key: key(slot), slot, pack: 0 });
  await vi.waitFor(() => expect(onEffects).toHaveBeenCalledTimes(MAX_SLOTS), WAIT);
  expect(groups.map(({ length }) => length)).toEqual([MAX_CLAIMS, MAX_CLAIMS, MAX_CLAIMS, MAX_CLAIMS, 96]);
  expect(groups.flat().map(({ slot }) => slot)).toEqual(Array.from({ length: MAX_SLOTS }, (_, slot) => slot));
  claims.close();
});

test('a claim waits while the queue of its slot is long, is sent soon when the queue becomes short, and is not sent if its slot no longer waits for the answer', async () => {
  const slots = newSlots(2);
  const [slot, other] = slots;
  if (slot === undefined || other === undefined) throw new Error('there are two slots');
  const gaps: (number | undefined)[] = [];
  const open = vi.fn(
    async (claims: Claim[]): Promise<Decision[]> =>
      claims.map(() => ({ key: undefined, answer: undefined, mates: [] })),
  );
  const context = {
    session: () => ({ open }),
    isTaking: () => true,
    gathering: { schedule: (gapMs?: number) => gaps.push(gapMs) },
  };
  const events = { onEffects: () => {}, onDelayed: () => {} };
  const claims = new Claims(slots, context, events, pino({ level: 'silent' }));
  slot.prefetch = 8;
  slot.queue = Array.from({ length: 3 }, () => ({ granted: [], since: 0 }));
  slot.claims = [{ key: key(0), offer: 0 }];
  other.claims = [{ key: key(1), offer: 1 }];
  claims.add({ key: key(0), slot: 0, pack: 0 });
  claims.onQueuesChanged();
  expect(gaps).toEqual([PATIENT_GATHER_MS]);
  slot.queue = slot.queue.slice(1);
  claims.onQueuesChanged();
  expect(gaps).toEqual([PATIENT_GATHER_MS, GATHER_MS]);
  claims.add({ key: key(1), slot: 1, pack: 0 });
  expect(gaps).toEqual([PATIENT_GATHER_MS, GATHER_MS, GATHER_MS]);
  slot.claims = [];
  claims.send();
  expect(open.mock.calls).toEqual([[[{ key: key(1), slot: 1, pack: 0 }]]]);
  claims.close();
});
