import { expect } from 'vitest';
import { BUGS } from './bugs.ts';
import { simulate } from './simulation.ts';
import { BUG_SEEDS } from './suites.ts';

/** Fails unless one of the first seeds violates an invariant with the planted bug. */
export async function expectFound(name: string): Promise<void> {
  const bug = BUGS[name];
  if (bug === undefined) throw new Error(`there is no planted bug ${name}`);
  for (let seed = 1; seed <= BUG_SEEDS; seed++) {
    const { violation } = await simulate(seed, bug);
    if (violation !== undefined) return;
  }
  expect.unreachable(`${BUG_SEEDS} seeds did not find the bug: ${bug.about}`);
}
