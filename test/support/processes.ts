/** The processes of this machine, with their parents. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

interface Row {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function rows(): Row[] {
  return existsSync('/proc/self/stat') ? readdirSync('/proc').flatMap(fromProc) : fromPs();
}

function fromProc(name: string): Row[] {
  if (!/^\d+$/.test(name)) return [];
  try {
    const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
    // The second field is the program's name in parentheses, which can contain any character.
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z') return [];
    const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return [{ pid: Number(name), parent: Number(parent), command }];
  } catch {
    return [];
  }
}

function fromPs(): Row[] {
  const text = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat=,command='], { encoding: 'utf8' });
  return [...text.matchAll(/^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/gm)]
    .filter(([, , , state]) => !state?.startsWith('Z'))
    .map(([, pid, parent, , command]) => ({ pid: Number(pid), parent: Number(parent), command: command ?? '' }));
}

/** Returns the children of a process, filtered by their command lines. */
export function childrenOf(parent: number, isWanted: (command: string) => boolean): number[] {
  return rows()
    .filter((row) => row.parent === parent && isWanted(row.command))
    .map(({ pid }) => pid);
}

/** Returns all descendants of a process. */
export function descendantsOf(ancestor: number): number[] {
  const all = rows();
  const found = [ancestor];
  for (const pid of found) found.push(...all.filter((row) => row.parent === pid).map((row) => row.pid));
  return found.slice(1);
}

/** Returns the processes that are still running. */
export function alive(pids: readonly number[]): number[] {
  const living = new Set(rows().map(({ pid }) => pid));
  return pids.filter((pid) => living.has(pid));
}

/** Sends SIGKILL. Does nothing if the process has already ended. */
export function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
