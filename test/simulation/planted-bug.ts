import { expect } from 'vitest';
import { BUGS } from './bugs.ts';
import { simulate } from './simulation.ts';
import { BUG_SEEDS, KNOWN_SEEDS } from './suites.ts';

/**
 * Fails unless the planted bug violates an invariant in the simulation of at least one seed. Tries the known seed of
 * the bug first. If the known seed does not find the bug, tries the seeds from 1 to BUG_SEEDS, which can take minutes.
 * A warning then names the seed that finds the bug.
 */
export async function expectFound(name: string): Promise<void> {
  const bug = BUGS[name];
  if (bug === undefined) throw new Error(`there is no planted bug ${name}`);
  const known = KNOWN_SEEDS[name] ?? 1;
  const others = Array.from({ length: BUG_SEEDS }, (_, at) => at + 1);
  for (const seed of [known, ...others]) {
    const { violation } = await simulate(seed, bug);
    if (violation === undefined) continue;
    if (seed !== known) {
      console.warn(`seed ${known} does not find the bug ${name}, but seed ${seed} does: set this seed in suites.ts`);
    }
    return;
  }
  expect.unreachable(`${BUG_SEEDS} seeds did not find the bug: ${bug.about}`);
}
