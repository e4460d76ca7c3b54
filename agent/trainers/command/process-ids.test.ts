import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cycleMs, newestIdSince, parseCreated, parseIdAllocation } from './process-ids.ts';

const LOADAVG = '44.72 38.71 25.85 27/1419 12038\n';

test('the newest id, the number of threads and the limit are parsed from loadavg and pid_max', () => {
  expect(parseIdAllocation(LOADAVG, '32768\n')).toEqual({ newest: 12_038, threads: 1_419, limit: 32_768 });
});

test.each([
  ['0.00 0.00 0.00 0/0 0\n', '32768\n'],
  ['', '32768\n'],
  [LOADAVG, ''],
  [LOADAVG, '10000\n'],
  ['44.72 38.71 25.85\n', '32768\n'],
])(
  'if the files contain no plausible numbers (as in gVisor), the allocation of ids is unknown: %j %j',
  (loadavg, pidMax) => {
    expect(parseIdAllocation(loadavg, pidMax)).toBeUndefined();
  },
);

const earlier = { id: 5_000, elapsedMs: 10, cores: 2 };
const allocation = { newest: 5_010, threads: 500, limit: 32_768 };
const unknown = () => undefined;

test('later processes have ids up to the newest id', () => {
  expect(newestIdSince(earlier, allocation, unknown)).toBe(5_010);
  expect(newestIdSince(earlier, { ...allocation, newest: 5_000 }, unknown)).toBe(5_000);
});

test('later processes can have any id if the newest id is smaller than the earlier id', () => {
  expect(newestIdSince(earlier, { ...allocation, newest: 4_999 }, unknown)).toBeUndefined();
});

test('later processes can have any id if enough time has passed to allocate all ids', () => {
  // Of the 32,768 ids, 300 are reserved and up to 1,000 are in use. Two cores allocate up to 400 ids per millisecond.
  expect(newestIdSince({ ...earlier, elapsedMs: 78 }, allocation, unknown)).toBe(5_010);
  expect(newestIdSince({ ...earlier, elapsedMs: 79 }, allocation, unknown)).toBeUndefined();
  expect(newestIdSince({ ...earlier, elapsedMs: 79 }, { ...allocation, limit: 4_194_304 }, unknown)).toBe(5_010);
  expect(
    newestIdSince({ ...earlier, elapsedMs: 79, cores: 64 }, { ...allocation, limit: 65_536 }, unknown),
  ).toBeUndefined();
  expect(newestIdSince(earlier, { ...allocation, limit: 300 }, unknown)).toBeUndefined();
});

test('after a delay, later processes have ids up to the newest id if few processes were created', () => {
  const late = { ...earlier, elapsedMs: 1_000, created: 1_000 };
  expect(cycleMs(allocation, late.cores)).toBeLessThan(late.elapsedMs);
  expect(newestIdSince(late, allocation, () => 1_010)).toBe(5_010);
  // Half of the 31,468 free ids.
  expect(newestIdSince(late, allocation, () => 16_733)).toBe(5_010);
  expect(newestIdSince(late, allocation, () => 16_734)).toBeUndefined();
  expect(newestIdSince(late, { ...allocation, newest: 4_999 }, () => 1_010)).toBeUndefined();
});

test('after a delay, later processes can have any id if a number of created processes is unknown', () => {
  const late = { ...earlier, elapsedMs: 1_000 };
  expect(newestIdSince(late, allocation, () => 1_010)).toBeUndefined();
  expect(newestIdSince({ ...late, created: 1_000 }, allocation, unknown)).toBeUndefined();
  expect(newestIdSince({ ...late, created: 1_011 }, allocation, () => 1_010)).toBeUndefined();
});

test('created processes are counted only if they are needed, and after at most a second', () => {
  const fail = () => {
    throw new Error('the number was read');
  };
  expect(newestIdSince({ ...earlier, created: 1_000 }, allocation, fail)).toBe(5_010);
  expect(newestIdSince({ ...earlier, created: 1_000, elapsedMs: 1_001 }, allocation, fail)).toBeUndefined();
});

test('the number of created processes is read from the file of Linux', () => {
  expect(parseCreated('cpu  1 2 3\nctxt 7\nbtime 1796052473\nprocesses 6017428\nprocs_running 3\n')).toBe(6_017_428);
  expect(parseCreated('cpu  0 0 0\nprocesses 0\n')).toBeUndefined();
  expect(parseCreated('')).toBeUndefined();
});

test('later processes can have any id if the allocation is unknown', () => {
  expect(newestIdSince(earlier, undefined, unknown)).toBeUndefined();
});

/** Allocates ids as Linux does: the next free id or, after the largest id, the smallest free id from 300 on. */
function allocate(first: number, count: number, limit: number, used: ReadonlySet<number>): number[] {
  const ids: number[] = [];
  let next = first;
  while (ids.length < count) {
    next = next + 1 < limit ? next + 1 : 300;
    if (!used.has(next)) ids.push(next);
  }
  return ids;
}

test('in every history of ids, all later processes have ids above the earlier id and up to the returned id', () => {
  const history = fc.record({
    limit: fc.integer({ min: 500, max: 1_200 }),
    cores: fc.integer({ min: 1, max: 4 }),
    elapsedUs: fc.integer({ min: 0, max: 3_000 }),
    place: fc.integer({ min: 0, max: 999 }),
    speed: fc.integer({ min: 0, max: 100 }),
    counted: fc.option(fc.record({ failed: fc.integer({ min: 0, max: 50 }), delay: fc.integer({ min: 1, max: 20 }) })),
    used: fc.array(fc.integer({ min: 300, max: 1_199 }), { maxLength: 50 }),
  });
  let ranges = 0;
  fc.assert(
    fc.property(history, ({ limit, cores, elapsedUs, place, speed, used, counted }) => {
      // If the created processes are counted, the next reading can be late.
      const elapsedMs = ((counted?.delay ?? 1) * elapsedUs) / 1_000;
      const id = 300 + Math.floor((place / 1_000) * (limit - 300));
      const inUse = new Set([id, ...used.filter((each) => each < limit)]);
      const count = Math.floor((speed / 100) * elapsedMs * cores * 200);
      const started = allocate(id, count, limit, inUse);
      const newest = started.at(-1) ?? id;
      // Some creations fail, and are not counted.
      const created = counted === null ? undefined : 70 + Math.ceil(count * (1 - counted.failed / 100));
      const before = created === undefined ? undefined : 70;
      const largest = newestIdSince(
        { id, elapsedMs, cores, created: before },
        { newest, threads: inUse.size, limit },
        () => created,
      );
      if (largest === undefined) return;
      ranges += started.length > 0 ? 1 : 0;
      expect(started.filter((each) => each <= id || each > largest)).toEqual([]);
    }),
    { numRuns: 2_000 },
  );
  expect(ranges).toBeGreaterThan(100);
});
