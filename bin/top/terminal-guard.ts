import { spawn } from 'node:child_process';

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
export function guardTerminal(terminal: NodeJS.WriteStream): () => void {
  const guard = spawn('/bin/sh', ['-c', GUARD], { stdio: ['pipe', terminal, 'ignore'], detached: true });
  // Without a shell there is no guard, and nothing else is the worse for it.
  guard.on('error', () => {});
  guard.stdin.on('error', () => {});
  guard.unref();
  return () => guard.stdin.end('given\n');
}
