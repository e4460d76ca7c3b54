import type { DashboardOptions, DashboardResult } from '../../dashboard/main.tsx';
import type { Source } from '../../dashboard/source.ts';
import { guardTerminal } from './terminal-guard.ts';

/** Runs the dashboard on this process's terminal, which is given back whatever ends the process. */
export async function onTerminal(
  source: Source,
  options: Omit<DashboardOptions, 'stdout' | 'stdin'>,
): Promise<DashboardResult> {
  // What React notes down for developers grows for as long as it draws.
  process.env.NODE_ENV ??= 'production';
  // Ink and React are loaded by the verbs that draw, and by no other.
  const { runDashboard } = await import('../../dashboard/main.tsx');
  const { stdout, stdin } = process;
  const given = guardTerminal(stdout);
  try {
    return await runDashboard(source, { stdout, stdin, ...options });
  } finally {
    given();
  }
}
