import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/**
 * The command line of a live process, its arguments separated by spaces, or null if there is none of that id. Tells
 * whether an id read from a file is still the process that wrote it.
 */
export function processCommand(pid: number): string | null {
  try {
    const command = existsSync('/proc/self/cmdline')
      ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
      : execFileSync('ps', ['-p', `${pid}`, '-o', 'command='], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        });
    return command.trim() || null;
  } catch {
    return null;
  }
}
