import { expect } from 'vitest';
import { BUGS } from './bugs.ts';
import { simulate } from './simulation.ts';
import { BUG_SEEDS } from './suites.ts';

/** Fails unless one of the first seeds breaks a law when the bug is planted. */
export async function expectFound(name: string): Promise<void> {
  const bug = BUGS[name];
  if (bug === undefined) throw new Error(`there is no planted bug ${name}`);
  for (let seed = 1; seed <= BUG_SEEDS; seed++) {
    const { broken } = await simulate(seed, bug);
    if (broken !== undefined) return;
  }
  expect.unreachable(`${BUG_SEEDS} seeds did not find that ${bug.about}`);
}
