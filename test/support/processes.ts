/** The processes of this machine, and who started whom. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

interface Row {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

/** Live processes; what is dead and only waits for its parent to look (a zombie) is left out. */
function rows(): Row[] {
  return existsSync('/proc/self/stat') ? readdirSync('/proc').flatMap(fromProc) : fromPs();
}

function fromProc(name: string): Row[] {
  if (!/^\d+$/.test(name)) return [];
  try {
    const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
    // The second field is the program's name in parentheses, and may hold anything.
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z') return [];
    const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    return [{ pid: Number(name), parent: Number(parent), command }];
  } catch {
    // It ended while it was looked at.
    return [];
  }
}

function fromPs(): Row[] {
  const text = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat=,command='], { encoding: 'utf8' });
  return [...text.matchAll(/^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/gm)]
    .filter(([, , , state]) => !state?.startsWith('Z'))
    .map(([, pid, parent, , command]) => ({ pid: Number(pid), parent: Number(parent), command: command ?? '' }));
}

/** Children of a process, by their command lines. */
export function childrenOf(parent: number, isWanted: (command: string) => boolean): number[] {
  return rows()
    .filter((row) => row.parent === parent && isWanted(row.command))
    .map(({ pid }) => pid);
}

/** A process's children, theirs, and so on. */
export function descendantsOf(ancestor: number): number[] {
  const all = rows();
  const found = [ancestor];
  for (const pid of found) found.push(...all.filter((row) => row.parent === pid).map((row) => row.pid));
  return found.slice(1);
}

/** Those of the processes that still live. */
export function alive(pids: readonly number[]): number[] {
  const living = new Set(rows().map(({ pid }) => pid));
  return pids.filter((pid) => living.has(pid));
}

/** `kill -9`; of a process that is gone already, nothing. */
export function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
