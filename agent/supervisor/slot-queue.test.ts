import fc from 'fast-check';
import { expect, test } from 'vitest';
import { keyText } from '../../lib/domain/attempt-key.ts';
import { Grant, RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { SlotEffect } from './slot-effects.ts';
import {
  areSlotsIdle,
  heldAttempts,
  isHeld,
  MAX_QUEUED_MS,
  newSlots,
  onDecision,
  onDismissed,
  onOffer,
  onPreflightFailure,
  onReturnOrder,
  onShutdown,
  onSuspended,
  onWaited,
  onWorkerExit,
  onWorkerLog,
  onWorkerMessage,
  returnAllQueued,
  type Slot,
  wantedOffers,
} from './slots.ts';

const key = (trialId: string) => ({ sweepId: '1', trialId, attempt: 1 });
const grantFor = (prefetch: number) => Grant.fromPartial({ trainer: 'noop', prefetch });
const always = () => true;

function ready(slots: Slot[]): Slot[] {
  slots.forEach((_, at) => {
    onWorkerMessage(slots, at, { kind: 'ready', backend: 'wasm', pack: 1 });
  });
  return slots;
}

/** Returns a slot that runs `first` and has the other attempts in its queue. */
function queued(first: string, ...others: string[]): Slot[] {
  const slots = ready(newSlots(1));
  for (const [at, id] of [first, ...others].entries()) {
    onOffer(slots, key(id), at);
    onDecision(slots, 0, key(id), { grant: grantFor(4), mates: [] }, 0);
  }
  started(slots, first);
  return slots;
}

const started = (slots: Slot[], ...ids: string[]) => onWorkerMessage(slots, 0, { kind: 'started', keys: ids.map(key) });
const done = (slots: Slot[], id: string) => onWorkerMessage(slots, 0, { key: key(id), kind: 'done' });
const brief = (effects: SlotEffect[] | 'retry') =>
  effects === 'retry'
    ? effects
    : effects.map((effect) => {
        if (effect.kind === 'record') return `${effect.key.trialId} ${effect.body.kind}`;
        if (effect.kind === 'run') return `run ${effect.granted.map((one) => one.key.trialId).join(' ')}`;
        return 'key' in effect ? `${effect.kind} ${effect.key.trialId}` : effect.kind;
      });

test('when an attempt ends, its slot immediately starts the queued attempt that was granted first', () => {
  const slots = queued('a', 'b', 'c');
  expect(heldAttempts(slots)).toEqual(['a', 'b', 'c'].map(key));
  expect(brief(done(slots, 'a'))).toEqual(['a succeeded', 'finished a', 'run b']);
  expect(brief(done(slots, 'b'))).toEqual(['b succeeded', 'finished b', 'run c']);
  expect(brief(done(slots, 'c'))).toEqual(['c succeeded', 'finished c']);
  expect(areSlotsIdle(slots)).toBe(true);
});

test('a slot asks for as many offers as the newest grant permits, but only while more than half of its queue is free', () => {
  const slots = queued('a');
  const room = () => wantedOffers(slots, always);
  expect(room()).toBe(4);
  for (const [at, id] of ['b', 'c'].entries()) onOffer(slots, key(id), 10 + at);
  expect(room()).toBe(0);
  for (const id of ['b', 'c']) onDecision(slots, 0, key(id), { grant: grantFor(4), mates: [] }, 0);
  expect(room()).toBe(0);
  done(slots, 'a');
  expect(room()).toBe(3);
  onOffer(slots, key('d'), 12);
  onDecision(slots, 0, key('d'), { grant: grantFor(0), mates: [] }, 0);
  expect(room()).toBe(0);
  expect(brief(onOffer(slots, key('e'), 13))).toEqual(['return']);
});

test('an offer goes to the slot with the fewest attempts', () => {
  const slots = ready(newSlots(2));
  for (const id of ['a', 'b', 'c', 'd']) {
    const [claim] = onOffer(slots, key(id), id.charCodeAt(0));
    if (claim?.kind !== 'claim') throw new Error('no claim');
    onDecision(slots, claim.slot, key(id), { grant: grantFor(4), mates: [] }, 0);
  }
  expect(slots.map(({ attempts, queue }) => attempts.length + queue.length)).toEqual([2, 2]);
});

test('queued attempts remain queued when the worker exits, and run when the next worker is ready', () => {
  const slots = queued('a', 'b');
  expect(brief(onWorkerExit(slots, 0, 'exited with code 1'))).toEqual(['a failed', 'finished a', 'restart']);
  expect(heldAttempts(slots)).toEqual([key('b')]);
  expect(brief(onWorkerMessage(slots, 0, { kind: 'ready', backend: 'wasm', pack: 1 }))).toEqual(['run b']);
});

test('if a worker dies before it starts an attempt, the attempt does not end as a crash; the next worker runs it first', () => {
  const slots = queued('a', 'b', 'c');
  expect(brief(done(slots, 'a'))).toEqual(['a succeeded', 'finished a', 'run b']);
  expect(onWorkerLog(slots, 0, 'last words of the worker')).toEqual([]);
  expect(brief(onWorkerExit(slots, 0, 'was killed by SIGSEGV'))).toEqual(['restart']);
  expect(heldAttempts(slots)).toEqual([key('b'), key('c')]);
  // The preparation that began before the exit may still be running, but it must not hand the attempt to the new
  // worker.
  expect(isHeld(slots[0], 2, key('b'))).toBe(false);
  const ready = { kind: 'ready', backend: 'wasm', pack: 1 } as const;
  expect(onWorkerMessage(slots, 0, ready)).toMatchObject([{ kind: 'run', start: 3, granted: [{ key: key('b') }] }]);
  expect([2, 3].map((start) => isHeld(slots[0], start, key('b')))).toEqual([false, true]);
  expect(onPreflightFailure(slots, 0, 2, key('b'), 'unreadable')).toEqual([]);
  started(slots, 'b');
  expect(brief(onWorkerExit(slots, 0, 'was killed by SIGSEGV'))).toEqual(['b failed', 'finished b', 'restart']);
});

test('if a worker dies before it starts a pack, the attempts of the pack return to the queue, except those that have ended', () => {
  const slots = ready(newSlots(1));
  onOffer(slots, key('a'), 1);
  const mates = ['b', 'c', 'd'].map((id) => ({ key: key(id), grant: grantFor(4) }));
  onDecision(slots, 0, key('a'), { grant: grantFor(4), mates }, 0);
  onPreflightFailure(slots, 0, 1, key('b'), 'unreadable');
  onDismissed(slots, key('c'));
  expect(brief(onWorkerExit(slots, 0, 'exited'))).toEqual(['finished c', 'restart']);
  expect(brief(onWaited(slots, MAX_QUEUED_MS))).toEqual(['a returned', 'finished a', 'd returned', 'finished d']);
});

test('if a slot gets an attempt both in a pack and as the answer to a separate claim, it queues the attempt once, whichever answer arrives first', () => {
  const slots = ready(newSlots(1));
  const packOf = (id: string, mate: string) => {
    const mates = [{ key: key(mate), grant: grantFor(4) }];
    return brief(onDecision(slots, 0, key(id), { grant: grantFor(4), mates }, 0));
  };
  onOffer(slots, key('a'), 1);
  onDecision(slots, 0, key('a'), { grant: grantFor(4), mates: [] }, 0);
  for (const [offer, id] of ['b', 'c'].entries()) onOffer(slots, key(id), 10 + offer);
  expect(packOf('b', 'c')).toEqual(['acknowledge', 'acknowledge']);
  expect(packOf('c', 'b')).toEqual([]);
  started(slots, 'a');
  expect(brief(done(slots, 'a'))).toEqual(['a succeeded', 'finished a', 'run b c']);
  started(slots, 'b', 'c');
  expect(brief(done(slots, 'b'))).toEqual(['b succeeded', 'finished b']);
  expect(brief(done(slots, 'c'))).toEqual(['c succeeded', 'finished c']);
  expect(areSlotsIdle(slots)).toBe(true);
});

test('if the coordinator orders the return of attempts, queued attempts are returned, and running attempts continue', () => {
  const slots = queued('a', 'b', 'c');
  expect(onReturnOrder(slots, [key('a'), key('b')])).toEqual([
    { kind: 'record', key: key('b'), seq: 1, body: { kind: 'returned' } },
    { kind: 'finished', key: key('b') },
  ]);
  expect(onReturnOrder(slots, [key('a'), key('b')])).toEqual([]);
  expect(brief(done(slots, 'a'))).toEqual(['a succeeded', 'finished a', 'run c']);
});

test('an attempt that has been queued for a second is returned, and its slot takes no offers until the running attempt ends', () => {
  const slots = queued('a', 'b');
  expect(onWaited(slots, MAX_QUEUED_MS - 1)).toEqual([]);
  expect(brief(onWaited(slots, MAX_QUEUED_MS))).toEqual(['b returned', 'finished b']);
  expect([wantedOffers(slots, always), brief(onOffer(slots, key('c'), 9))]).toEqual([0, ['return']]);
  done(slots, 'a');
  expect(wantedOffers(slots, always)).toBe(5);
});

test('a dismissed attempt is removed from the queue, and no record of it is written', () => {
  const slots = queued('a', 'b');
  expect(brief(onDismissed(slots, key('b')))).toEqual(['finished b']);
  expect(brief(done(slots, 'a'))).toEqual(['a succeeded', 'finished a']);
});

test('queued attempts are returned when the agent takes no new trials, after it was suspended, and when it shuts down', () => {
  expect(brief(returnAllQueued(queued('a', 'b')))).toEqual(['b returned', 'finished b']);
  expect(brief(onSuspended(queued('a', 'b')))).toEqual(['stop a', 'b returned', 'finished b']);
  expect(brief(onShutdown(queued('a', 'b')))).toEqual(['a failed', 'b returned', 'finished b']);
});

test('in any history, a slot runs one attempt or pack at a time, and each granted attempt ends or is returned once', () => {
  const event = fc.record({
    kind: fc.constantFrom(
      'offer',
      'offer',
      'offer',
      'decide',
      'decide',
      'start',
      'start',
      'end',
      'end',
      'exit',
      'ready',
      'order',
      'wait',
      'drain',
    ),
    slot: fc.nat(1),
    at: fc.nat(5),
    mates: fc.nat(2),
    refused: fc.nat(5),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 120 }), (events) => {
      const slots = ready(newSlots(2));
      const running = slots.map(() => new Set<string>());
      const granted = new Set<string>();
      const started = new Set<string>();
      const over = new Map<string, number>();
      let now = 0;
      let next = 0;
      const carryOut = (effects: SlotEffect[] | 'retry') => {
        for (const effect of effects === 'retry' ? [] : effects) {
          if (effect.kind === 'run') {
            expect([...(running[effect.slot] ?? [])], 'a slot runs one pack at a time').toEqual([]);
            for (const one of effect.granted) {
              expect(over.has(keyText(one.key)), 'a returned attempt does not start').toBe(false);
              running[effect.slot]?.add(keyText(one.key));
            }
          }
          if (effect.kind !== 'record') continue;
          const name = keyText(effect.key);
          const isCrash = effect.body.kind === 'failed' && effect.body.class === 'crash';
          if (isCrash) expect(started.has(name), 'only attempts that a worker has started end as a crash').toBe(true);
          over.set(name, (over.get(name) ?? 0) + 1);
          const slot = running.find((one) => one.has(name));
          expect(slot === undefined, 'only attempts that do not run are returned').toBe(
            effect.body.kind === 'returned',
          );
          slot?.delete(name);
        }
      };
      for (const { kind, slot, at, mates, refused } of events) {
        const one = slots[slot];
        if (one === undefined) continue;
        now += 300;
        if (kind === 'offer') carryOut(onOffer(slots, key(`t${next++}`), next));
        const claim = one.claims[at % Math.max(1, one.claims.length)];
        if (kind === 'decide' && claim !== undefined) {
          const refusal = { code: RefusalCode.LEASED, message: '' };
          // The slot may also have claimed a mate separately. The coordinator answers that claim with the same pack.
          const claimed = one.claims.filter((other) => other !== claim).slice(0, at % 2);
          const others = Array.from({ length: mates }, (_, index) => {
            return { key: claimed[index]?.key ?? key(`t${next++}`), grant: grantFor(at) };
          });
          if (refused > 0) for (const each of [claim, ...others]) granted.add(keyText(each.key));
          const decision = refused === 0 ? { refusal } : { grant: grantFor(at), mates: others };
          carryOut(onDecision(slots, slot, claim.key, decision, now));
          if (refused === 0) continue;
          for (const other of claimed.slice(0, mates)) {
            const pack = [claim, ...others].filter(({ key }) => key !== other.key);
            const mates = pack.map(({ key }) => ({ key, grant: grantFor(at) }));
            carryOut(onDecision(slots, slot, other.key, { grant: grantFor(at), mates }, now));
          }
        }
        const attempt = one.attempts[at % Math.max(1, one.attempts.length)];
        if (kind === 'end' && attempt?.log.isStarted === true) {
          carryOut(onWorkerMessage(slots, slot, { key: attempt.key, kind: 'done' }));
        }
        if (kind === 'start') {
          const keys = one.attempts.map((each) => each.key);
          for (const each of keys) started.add(keyText(each));
          carryOut(onWorkerMessage(slots, slot, { kind: 'started', keys }));
        }
        if (kind === 'exit') {
          carryOut(onWorkerExit(slots, slot, 'exited'));
          running[slot]?.clear();
        }
        if (kind === 'ready') carryOut(onWorkerMessage(slots, slot, { kind: 'ready', backend: 'wasm', pack: 1 }));
        if (kind === 'order') carryOut(onReturnOrder(slots, heldAttempts(slots).slice(at, at + 2)));
        if (kind === 'wait') carryOut(onWaited(slots, now));
        if (kind === 'drain' && at === 0) carryOut(returnAllQueued(slots));
      }
      carryOut(onShutdown(slots));
      expect([...over.keys()].sort()).toEqual([...granted].sort());
      expect([...over.values()].every((times) => times === 1)).toBe(true);
    }),
  );
});
