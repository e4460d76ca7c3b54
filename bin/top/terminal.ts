import { spawn } from 'node:child_process';
import type { DashboardOptions, DashboardResult, TerminalStyle } from '../../dashboard/main.tsx';
import type { Source } from '../../dashboard/source.ts';

/**
 * Waits for the end of its input, which comes when this process is gone, in whatever way; a line before that says that
 * the terminal was given back already. In a session of its own, so that what is typed does not reach it.
 */
const GUARD = `
read -r given && exit
printf '\\033[0m\\033[?25h\\033[?1049l\\033[?2026l'
stty sane <&1
`;

/**
 * Gives the terminal back when this process is killed before it can (SIGKILL, a crash of Node itself).
 * @returns to be called once the terminal was given back in order
 */
function guardTerminal(terminal: NodeJS.WriteStream): () => void {
  const guard = spawn('/bin/sh', ['-c', GUARD], { stdio: ['pipe', terminal, 'ignore'], detached: true });
  // Without a shell there is no guard, and nothing else is the worse for it.
  guard.on('error', () => {});
  guard.stdin.on('error', () => {});
  guard.unref();
  return () => guard.stdin.end('given\n');
}

/**
 * What the terminal can show: colours unless refused, and more than ASCII where the locale says UTF-8.
 * @param options `color` false after `--no-color`
 */
export function lookOf(
  options: { readonly color: boolean; readonly ascii?: true },
  terminal: { readonly isTTY?: boolean },
  environment: NodeJS.ProcessEnv,
): TerminalStyle {
  const refused = !options.color || (environment.NO_COLOR ?? '') !== '';
  const dumb = environment.TERM === 'dumb' || environment.TERM === 'linux';
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || '';
  // A pipe says nothing of what reads it: nearly everything reads UTF-8.
  const utf8 = terminal.isTTY !== true || /utf-?8/i.test(locale);
  return {
    colour: !refused && environment.TERM !== 'dumb' && terminal.isTTY === true,
    plain: terminal.isTTY !== true,
    ascii: options.ascii === true || (terminal.isTTY === true && dumb) || !utf8,
  };
}

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

/** Whether the terminal supports Kitty's graphics protocol, by its environment variables. tmux does not pass it on. */
export function hasKittyGraphics(environment: NodeJS.ProcessEnv): boolean {
  if ((environment.TMUX ?? '') !== '' || /^(screen|tmux)/.test(environment.TERM ?? '')) return false;
  return (
    environment.TERM === 'xterm-kitty' ||
    (environment.KITTY_WINDOW_ID ?? '') !== '' ||
    environment.TERM === 'xterm-ghostty' ||
    environment.TERM_PROGRAM === 'ghostty'
  );
}
