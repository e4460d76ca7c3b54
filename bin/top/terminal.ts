import { spawn } from 'node:child_process';
import { setFlagsFromString } from 'node:v8';
import type { DashboardOptions, DashboardResult, TerminalStyle } from '../../dashboard/main.tsx';
import type { Source } from '../../dashboard/source.ts';
import type { LookOptions } from '../options/common.ts';
import { showsUnicode } from '../output/terminal.ts';

/**
 * A shell script that restores the terminal if the parent process dies. The script's stdin is then closed without a
 * line. A line on stdin means that the terminal was already restored.
 */
const GUARD = `
read -r given && exit
printf '\\033[?1006l\\033[?1000l\\033[0m\\033[?25h\\033[?1049l\\033[?2026l'
stty sane <&1
`;

/**
 * Starts a guard: a process that restores the terminal after SIGKILL or a crash of Node, which leave the terminal in
 * raw mode. The guard runs in a separate process session, so that keys such as Ctrl-C do not end the guard.
 */
function guardTerminal(terminal: NodeJS.WriteStream): () => void {
  const guard = spawn('/bin/sh', ['-c', GUARD], { stdio: ['pipe', terminal, 'ignore'], detached: true });
  // Without a shell, the dashboard works without a guard.
  guard.on('error', () => {});
  guard.stdin.on('error', () => {});
  guard.unref();
  return () => guard.stdin.end('given\n');
}

/** Detects whether the output is a terminal, and whether colors and non-ASCII characters can be used. */
export function terminalLook(
  options: LookOptions,
  terminal: { readonly isTTY?: boolean },
  environment: NodeJS.ProcessEnv,
): TerminalStyle {
  const isColorDisabled = !options.color || (environment.NO_COLOR ?? '') !== '';
  return {
    color: !isColorDisabled && environment.TERM !== 'dumb' && terminal.isTTY === true,
    plain: terminal.isTTY !== true,
    ascii: options.ascii === true || (terminal.isTTY === true && !showsUnicode(environment)),
  };
}

/**
 * Limits V8's heap to three times its size after the last full garbage collection; V8's default is up to four times.
 * The limit matters, because each frame leaves about 2 MB of garbage in V8's old space. A limit of twice the size costs
 * a third more CPU time.
 */
const HEAP_GROWTH = '--heap-growing-percent=200';

/**
 * Runs the dashboard on the terminal of this process. Restores the terminal when the process ends, even after a crash.
 */
export async function onTerminal(
  source: Source,
  options: Omit<DashboardOptions, 'stdout' | 'stdin'>,
): Promise<DashboardResult> {
  // The development build of React stores more data with each render, without a limit.
  process.env.NODE_ENV ??= 'production';
  setFlagsFromString(HEAP_GROWTH);
  const { runDashboard } = await import('../../dashboard/main.tsx');
  const { stdout, stdin } = process;
  const given = guardTerminal(stdout);
  try {
    return await runDashboard(source, { stdout, stdin, ...options });
  } finally {
    given();
  }
}

/**
 * Whether the environment variables identify a terminal that supports Kitty's graphics protocol. Always false inside
 * tmux and screen, because tmux does not forward the protocol.
 */
export function hasKittyGraphics(environment: NodeJS.ProcessEnv): boolean {
  if ((environment.TMUX ?? '') !== '' || /^(screen|tmux)/.test(environment.TERM ?? '')) return false;
  return (
    environment.TERM === 'xterm-kitty' ||
    (environment.KITTY_WINDOW_ID ?? '') !== '' ||
    environment.TERM === 'xterm-ghostty' ||
    environment.TERM_PROGRAM === 'ghostty'
  );
}
