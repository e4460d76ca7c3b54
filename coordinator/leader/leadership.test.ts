import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  afterRenewal,
  isCertain,
  isStale,
  LEADERSHIP_MS,
  newRenewals,
  RENEW_INTERVAL_MS,
  RENEW_RETRY_MS,
  type Renewals,
  STANDBY_INTERVAL_MS,
  seenAfter,
  untilAttempt,
  untilRenewal,
} from './leadership.ts';

test('a leader renews its leadership after a third of the duration', () => {
  const renewals = newRenewals(100);
  expect(untilRenewal(renewals, 100)).toBe(RENEW_INTERVAL_MS);
  expect(untilRenewal(renewals, 100 + RENEW_INTERVAL_MS)).toBe(0);
  expect(RENEW_INTERVAL_MS * 3).toBe(LEADERSHIP_MS);
});

test('a failed renewal is repeated soon, and does not extend the leadership', () => {
  const failed = afterRenewal(newRenewals(0), 3_000, false);
  expect(untilRenewal(failed, 3_100)).toBe(RENEW_RETRY_MS - 100);
  expect(isCertain(failed, 7_999)).toBe(true);
  expect(isCertain(failed, 8_000)).toBe(false);
  const renewed = afterRenewal(failed, 3_500, true);
  expect(untilRenewal(renewed, 3_500)).toBe(RENEW_INTERVAL_MS);
  expect(isCertain(renewed, 11_499)).toBe(true);
});

test('a standby tries to lead at once after a release, and otherwise no later than at the expiry', () => {
  expect(untilAttempt({ holder: '', remainingMs: 5_000 })).toBe(0);
  expect(untilAttempt({ holder: 'a', remainingMs: 5_000 })).toBe(STANDBY_INTERVAL_MS);
  expect(untilAttempt({ holder: 'a', remainingMs: 120 })).toBe(120);
  expect(untilAttempt({ holder: 'a', remainingMs: -3 })).toBe(0);
});

test('a leadership counts as expired once it has not been renewed for longer than its duration, whatever the clock of the store shows', () => {
  const leadership = { epoch: 1, holder: 'a', address: 'a:1', remainingMs: 3_600_000, expiresAt: '1' };
  const first = seenAfter(undefined, leadership, 0);
  const again = seenAfter(first, { ...leadership, remainingMs: 7_200_000 }, 9_000);
  expect(isStale(again, LEADERSHIP_MS + 1_000)).toBe(false);
  expect(isStale(again, LEADERSHIP_MS + 1_001)).toBe(true);
  const renewed = seenAfter(again, { ...leadership, expiresAt: '2' }, 9_500);
  expect(isStale(renewed, 19_500)).toBe(false);
  const other = seenAfter(renewed, { ...leadership, epoch: 2, expiresAt: '2' }, 12_000);
  expect(isStale(other, 22_000)).toBe(false);
});

/** A request to the store: how long the request and its answer take to arrive, and whether each of them arrives. */
const request = fc.record({
  there: fc.integer({ min: 0, max: 4_000 }),
  back: fc.integer({ min: 0, max: 4_000 }),
  isAnswered: fc.boolean(),
  isReceived: fc.boolean(),
});
/** The speed of the leader's clock relative to the clock of the store. */
const speed = fc.double({ min: 0.9, max: 1.1, noNaN: true });

test('while a leader is certain that it leads, its leadership has not expired, whatever happens to its requests', () => {
  fc.assert(
    fc.property(fc.array(request, { maxLength: 30 }), speed, (requests, leaderSpeed) => {
      const local = (storeTime: number) => storeTime * leaderSpeed;
      let expiresAt = LEADERSHIP_MS;
      let renewals: Renewals = newRenewals(local(0));
      let storeTime = 0;
      for (const { there, back, isAnswered, isReceived } of requests) {
        storeTime += untilRenewal(renewals, local(storeTime)) / leaderSpeed;
        const sentAt = local(storeTime);
        const receivedAt = storeTime + there;
        // Once the leadership has expired, another coordinator can lead.
        const isLost = receivedAt >= expiresAt;
        if (!isLost && isReceived) expiresAt = receivedAt + LEADERSHIP_MS;
        const answeredAt = receivedAt + back;
        for (let at = storeTime; at <= answeredAt; at += 100) {
          if (isCertain(renewals, local(at))) expect(at).toBeLessThan(expiresAt);
        }
        if (isLost) return;
        storeTime = answeredAt;
        renewals = afterRenewal(renewals, sentAt, isReceived && isAnswered);
      }
    }),
  );
});

test('if requests take up to a second and at most two in a row fail, a leader is always certain that it leads', () => {
  const quick = fc.integer({ min: 0, max: 1_000 });
  fc.assert(
    fc.property(fc.array(fc.tuple(quick, fc.boolean()), { maxLength: 100 }), (requests) => {
      let now = 0;
      let renewals = newRenewals(now);
      let failures = 0;
      for (const [took, isFailed] of requests) {
        now += untilRenewal(renewals, now);
        const sentAt = now;
        now += took;
        expect(isCertain(renewals, now)).toBe(true);
        // After two failures in a row, there is enough time for a further renewal.
        failures = isFailed && failures < 2 ? failures + 1 : 0;
        renewals = afterRenewal(renewals, sentAt, failures === 0);
      }
    }),
  );
});
