import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import type { Claim, Decision } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { MAX_CLAIMS, MAX_SLOTS } from '../../proto/limits.ts';
import { Claims } from './claims.ts';
import { Gathering } from './gathering.ts';
import type { SlotEffect } from './slot-effects.ts';
import { newSlots } from './slots.ts';

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
  await vi.waitFor(() => expect(onEffects).toHaveBeenCalledTimes(MAX_SLOTS));
  expect(groups.map(({ length }) => length)).toEqual([MAX_CLAIMS, MAX_CLAIMS, MAX_CLAIMS, MAX_CLAIMS, 96]);
  expect(groups.flat().map(({ slot }) => slot)).toEqual(Array.from({ length: MAX_SLOTS }, (_, slot) => slot));
  claims.close();
});
