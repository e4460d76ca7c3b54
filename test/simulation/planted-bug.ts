import { expect } from 'vitest';
import { BUGS } from './bugs.ts';
import { simulate } from './simulation.ts';
import { BUG_SEEDS, KNOWN_SEEDS } from './suites.ts';

/**
 * Fails unless the planted bug violates an invariant in the simulation of at least one seed. Tries the known seed of
 * the bug, and then the seeds from 1 to BUG_SEEDS.
 */
export async function expectFound(name: string): Promise<void> {
  const bug = BUGS[name];
  if (bug === undefined) throw new Error(`there is no planted bug ${name}`);
  const seeds = Array.from({ length: BUG_SEEDS }, (_, at) => at + 1);
  for (const seed of [KNOWN_SEEDS[name] ?? 1, ...seeds]) {
    const { violation } = await simulate(seed, bug);
    if (violation !== undefined) return;
  }
  expect.unreachable(`${BUG_SEEDS} seeds did not find the bug: ${bug.about}`);
}
