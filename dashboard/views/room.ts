/** How the lines of a terminal are shared out between the parts of the dashboard. */
export interface Room {
  readonly leaderboard: number;
  readonly running: number;
  readonly failures: number;
  readonly events: number;
}

/** Lines of a part, its title among them. */
const MOST_RUNNING = 5;
const MOST_FAILURES = 3;
const LEAST_LEADERBOARD = 3;
const EVENTS = 4;

/**
 * Shares out `lines` (what the header and the footer leave). What runs and what failed get what they need up to a
 * limit; the leaderboard takes the rest. On a very small terminal the events go first, then what runs.
 */
export function shareRoom(lines: number, running: number, failed: number): Room {
  let left = Math.max(0, lines) - LEAST_LEADERBOARD;
  const take = (wanted: number): number => {
    // A title with nothing under it is no use.
    const given = left >= 2 ? Math.min(wanted, left) : 0;
    left -= given;
    return given;
  };
  const failures = failed > 0 ? take(Math.min(MOST_FAILURES, failed + 1)) : 0;
  const runningLines = take(Math.min(MOST_RUNNING, Math.max(2, running + 1)));
  const events = take(EVENTS);
  return { failures, running: runningLines, events, leaderboard: Math.max(0, left + LEAST_LEADERBOARD) };
}
