import { test } from 'vitest';
import { expectFound } from './planted-bug.ts';
import { RARE_BUGS, TIMEOUT_MS } from './suites.ts';

test.each(Object.keys(RARE_BUGS))('the simulation finds the planted bug %s', { timeout: TIMEOUT_MS }, expectFound);
