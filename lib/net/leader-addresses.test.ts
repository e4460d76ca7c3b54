import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AVOID_MS, LeaderAddresses } from './leader-addresses.ts';

test('a client first calls the first address, and then the leader that a standby names', () => {
  const addresses = new LeaderAddresses(['a:1', 'b:1']);
  expect(addresses.current).toBe('a:1');
  addresses.onStandby('c:1', 0);
  expect(addresses.current).toBe('c:1');
});

test('a client with a single address calls this address again if it, or the leader that a standby named, is unreachable', () => {
  const addresses = new LeaderAddresses(['a:1']);
  expect(addresses.hasOthers).toBe(false);
  addresses.onUnreachable(0);
  expect(addresses.current).toBe('a:1');
  addresses.onStandby('b:1', 1);
  expect(addresses.hasOthers).toBe(true);
  addresses.onUnreachable(2);
  expect(addresses.current).toBe('a:1');
});

test('an unreachable address is not called for some time, even if a standby names it as the leader', () => {
  const addresses = new LeaderAddresses(['a:1', 'b:1']);
  addresses.onUnreachable(0);
  expect(addresses.current).toBe('b:1');
  addresses.onStandby('a:1', 100);
  expect(addresses.current).toBe('b:1');
  addresses.onStandby('a:1', AVOID_MS);
  expect(addresses.current).toBe('a:1');
});

test('after an unreachable address has answered, it is called as soon as a standby names it', () => {
  const addresses = new LeaderAddresses(['a:1', 'b:1']);
  addresses.onUnreachable(0);
  addresses.onAnswer('a:1');
  addresses.onStandby('a:1', 1);
  expect(addresses.current).toBe('a:1');
});

test('an address that gave no answer in time is called again when a standby names it', () => {
  const addresses = new LeaderAddresses(['a:1', 'b:1']);
  addresses.onSilent(0);
  expect(addresses.current).toBe('b:1');
  addresses.onStandby('a:1', 1);
  expect(addresses.current).toBe('a:1');
});

test('areRejected is true if the last call to every address failed for a permanent reason', () => {
  const addresses = new LeaderAddresses(['a:1', 'b:1']);
  addresses.onUnreachable(0, true);
  expect(addresses.areRejected).toBe(false);
  addresses.onUnreachable(1, true);
  expect(addresses.areRejected).toBe(true);
  addresses.onUnreachable(2);
  expect(addresses.areRejected).toBe(false);
  addresses.onUnreachable(3, true);
  addresses.onUnreachable(4, true);
  addresses.onAnswer('b:1');
  expect(addresses.areRejected).toBe(false);
});

test('if no address answers, the addresses are called in turn, again and again', () => {
  const addresses = new LeaderAddresses(['a:1', 'b:1', 'c:1']);
  const tried = Array.from({ length: 6 }, (_, at) => {
    const { current } = addresses;
    addresses.onUnreachable(at * 100);
    return current;
  });
  expect(tried).toEqual(['a:1', 'b:1', 'c:1', 'a:1', 'b:1', 'c:1']);
});

const known = ['a:1', 'b:1', 'c:1'];

test('after any history, a client finds the leader within a few calls if each standby names the leader or no address', () => {
  const event = fc.oneof(
    fc.constantFrom(...known, 'z:1', '').map((leader) => ({ kind: 'standby' as const, leader })),
    fc.constant({ kind: 'unreachable' as const }),
  );
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 20 }),
      fc.constantFrom(...known),
      fc.constantFrom(...known),
      (events, leader, dead) => {
        fc.pre(leader !== dead);
        const addresses = new LeaderAddresses(known);
        let now = 0;
        for (const past of events) {
          now += 500;
          if (past.kind === 'standby') addresses.onStandby(past.leader, now);
          else addresses.onUnreachable(now);
        }
        now += AVOID_MS;
        for (let call = 0; addresses.current !== leader; call++) {
          expect(call).toBeLessThan(known.length + 1);
          now += 500;
          const { current } = addresses;
          // An address outside the list is the address of an earlier leader, which no longer runs.
          if (current === dead || !known.includes(current)) addresses.onUnreachable(now);
          else addresses.onStandby(call % 2 === 0 ? leader : '', now);
        }
      },
    ),
  );
});
