import { test } from 'vitest';
import { BUGS } from './bugs.ts';
import { expectFound } from './planted-bug.ts';
import { RARE_BUGS, TIMEOUT_MS } from './suites.ts';

test.each(Object.keys(BUGS).filter((name) => !Object.hasOwn(RARE_BUGS, name)))(
  'the simulation finds the planted bug %s',
  { timeout: TIMEOUT_MS },
  expectFound,
);
