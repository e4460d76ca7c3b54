/** Every planted bug, by name. For each bug, the fast or the slow suite tests that the simulation finds the bug. */
import { AGENT_BUGS } from './agent-bugs.ts';
import type { Bug } from './bug.ts';
import { COORDINATOR_BUGS } from './coordinator-bugs.ts';
import { SEARCH_BUGS } from './search-bugs.ts';
import { TAKEOVER_BUGS } from './takeover-bugs.ts';

export const BUGS: Readonly<Record<string, Bug>> = {
  ...COORDINATOR_BUGS,
  ...SEARCH_BUGS,
  ...TAKEOVER_BUGS,
  ...AGENT_BUGS,
};

export const NO_BUG: Bug = { about: 'none' };
