import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NoSpaceError, OverloadedError } from '../../proto/errors.ts';
import { MIN_FREE_BYTES, type Reservation, SpaceLedger, spaceAnswer } from './space-ledger.ts';

const MB = 1_000_000;

test('accepted uploads never use the disk space that is kept for the store, in whatever order they begin, write and end', async () => {
  const action = fc.oneof(
    fc.record({ kind: fc.constant('begin' as const), bytes: fc.integer({ min: 0, max: 900 * MB }) }),
    fc.record({ kind: fc.constant('write' as const), index: fc.nat(), bytes: fc.nat({ max: 300 * MB }) }),
    fc.record({ kind: fc.constant('end' as const), index: fc.nat() }),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 3_000 * MB }),
      fc.array(action, { maxLength: 60 }),
      async (disk, actions) => {
        let free = disk;
        const ledger = new SpaceLedger(async () => free);
        const uploads: { reservation: Reservation; left: number }[] = [];
        for (const step of actions) {
          if (step.kind === 'begin') {
            const reservation = await ledger.reserve('file', step.bytes).catch(() => undefined);
            if (reservation !== undefined) uploads.push({ reservation, left: step.bytes });
          } else if (uploads.length > 0) {
            const index = step.index % uploads.length;
            const upload = uploads[index] ?? expect.unreachable();
            if (step.kind === 'write') {
              const written = Math.min(step.bytes, upload.left);
              upload.left -= written;
              free -= written;
              upload.reservation.consume(written);
            } else {
              upload.reservation.release();
              uploads.splice(index, 1);
            }
          }
          expect(ledger.reservedBytes).toBe(uploads.reduce((sum, { left }) => sum + left, 0));
          expect(free - ledger.reservedBytes).toBeGreaterThanOrEqual(Math.min(disk, MIN_FREE_BYTES));
        }
      },
    ),
  );
});

test('with 640 MB free, one of four uploads of 330 MB is accepted; the others must wait, and no longer fit after the first upload', async () => {
  let free = 640 * MB;
  const ledger = new SpaceLedger(async () => free);
  const first = await ledger.reserve('artifact a', 330 * MB);
  for (const name of ['b', 'c', 'd']) {
    await expect(ledger.reserve(`artifact ${name}`, 330 * MB)).rejects.toThrow(OverloadedError);
  }
  free -= 330 * MB;
  first.consume(330 * MB);
  first.release();
  await expect(ledger.reserve('artifact b', 330 * MB)).rejects.toThrow(NoSpaceError);
  await expect(ledger.reserve('artifact b', 330 * MB)).rejects.toThrow(/^artifact b does not fit: it needs .* free/);
  expect(ledger.reservedBytes).toBe(0);
});

test('the answer for an upload is `never` if and only if the upload would not fit even without the other uploads', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.nat(), (need, free, reserved) => {
      const answer = spaceAnswer(need, free, reserved);
      expect(answer === 'never').toBe(spaceAnswer(need, free, 0) !== 'fits');
    }),
  );
});

test('a second release of a reservation of disk space has no effect', async () => {
  const ledger = new SpaceLedger(async () => 2_000 * MB);
  const [one, two] = await Promise.all([ledger.reserve('a', 10), ledger.reserve('b', 20)]);
  one.release();
  one.release();
  one.consume(5);
  expect(ledger.reservedBytes).toBe(20);
  two.release();
  expect(ledger.reservedBytes).toBe(0);
});
