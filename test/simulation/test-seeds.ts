/** Defines the tests that simulate many seeds. */
import { expect, test } from 'vitest';
import { simulate } from './simulation.ts';
import { TIMEOUT_MS } from './suites.ts';

interface Options {
  /** The names of the events and states that must occur with at least one of the seeds. Default: none. */
  readonly expected?: readonly string[];
  /** The time limit of the test, in milliseconds. Default: TIMEOUT_MS. */
  readonly timeoutMs?: number;
}

/** Defines a test that simulates each seed, and fails at the first violated invariant. */
export function testSeeds(
  name: string,
  seeds: readonly number[],
  { expected = [], timeoutMs = TIMEOUT_MS }: Options = {},
): void {
  test(`${name} (${seeds.length} seeds)`, { timeout: timeoutMs }, async () => {
    const reached = new Set<string>();
    for (const seed of seeds) {
      const outcome = await simulate(seed);
      expect(outcome.violation, `to reproduce: npm run simulate -- --seed ${seed} --trace`).toBeUndefined();
      for (const event of outcome.reached) reached.add(event);
    }
    expect(expected.filter((event) => !reached.has(event))).toEqual([]);
  });
}
