import fc from 'fast-check';
import { expect, test } from 'vitest';
import { elapsedBetween, SuspensionWatch } from './suspension.ts';

const LEASE_MS = 2_000;

function watch(machine: boolean) {
  const now = { process: 0, machine: 0 };
  const suspensions: number[] = [];
  const clocks = { process: () => now.process, ...(machine ? { machine: () => now.machine } : {}) };
  return { now, suspensions, watch: new SuspensionWatch(clocks, (ms) => suspensions.push(ms)) };
}

test('if the process is stopped for longer than a lease, one suspension is reported', () => {
  const { now, suspensions, watch: watched } = watch(true);
  watched.setLimit(LEASE_MS);
  now.process += LEASE_MS;
  watched.check();
  expect(suspensions).toEqual([]);
  now.process += LEASE_MS + 1;
  watched.check();
  watched.check();
  expect(suspensions).toEqual([LEASE_MS + 1]);
});

test('a sleep of the machine for longer than a lease is reported, unless sleep is ignored', () => {
  for (const isWatched of [true, false]) {
    const { now, suspensions, watch: watched } = watch(isWatched);
    watched.setLimit(LEASE_MS);
    now.process += 5;
    now.machine += 60_000;
    watched.check();
    expect(suspensions).toEqual(isWatched ? [60_000] : []);
  }
});

test('no suspension is reported while the duration of a lease is unknown', () => {
  const { now, suspensions, watch: watched } = watch(true);
  now.process += 60_000;
  watched.check();
  watched.setLimit(0);
  now.process += 60_000;
  watched.check();
  expect(suspensions).toEqual([]);
});

test('a gap between checks is reported if, and only if, it is longer than a lease on either clock', () => {
  const gaps = fc.array(fc.record({ process: fc.nat(3 * LEASE_MS), machine: fc.nat(3 * LEASE_MS) }));
  fc.assert(
    fc.property(gaps, (steps) => {
      const { now, suspensions, watch: watched } = watch(true);
      watched.setLimit(LEASE_MS);
      for (const step of steps) {
        now.process += step.process;
        now.machine += step.machine;
        watched.check();
      }
      const expected = steps
        .map((step) => elapsedBetween({ process: 0, machine: 0 }, step))
        .filter((elapsed) => elapsed > LEASE_MS);
      expect(suspensions).toEqual(expected);
      expect(expected).toEqual(
        steps.map(({ process, machine }) => Math.max(process, machine)).filter((gap) => gap > LEASE_MS),
      );
    }),
  );
});
