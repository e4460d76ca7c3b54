/** Measures all processes of a tree on Linux. */
import { readdirSync, readFileSync } from 'node:fs';
import { group, sum } from 'd3-array';
import { TICKS_PER_SECOND } from '../process-figures.ts';

export interface TreeProcess {
  readonly pid: number;
  readonly parent: number;
  /** The name and the command line, such as `node /usr/bin/node main.js`. */
  readonly command: string;
  /** CPU time of the process, and of its descendants that have ended and were waited for, in seconds. */
  readonly cpuS: number;
}

/** Parses /proc/PID/stat. The name is in parentheses, and can contain any character. */
export function parseStat(stat: string, commandLine: string): TreeProcess {
  const open = stat.indexOf('(');
  const close = stat.lastIndexOf(')');
  const fields = stat.slice(close + 2).split(' ');
  // utime, stime, cutime and cstime are fields 14 to 17; the first field after the name is field 3.
  const ticks = sum(fields.slice(11, 15), Number);
  return {
    pid: Number(stat.slice(0, open)),
    parent: Number(fields[1]),
    command: `${stat.slice(open + 1, close)} ${commandLine.replaceAll('\0', ' ').trim()}`,
    cpuS: ticks / TICKS_PER_SECOND,
  };
}

/** Returns the processes of the trees with these roots, the roots included. */
export function processesOf(roots: readonly number[]): TreeProcess[] {
  const all = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? read(name) : []));
  const children = group(all, ({ parent }) => parent);
  const found = all.filter(({ pid }) => roots.includes(pid));
  for (const { pid } of found) found.push(...(children.get(pid) ?? []));
  return found;
}

function read(pid: string): TreeProcess[] {
  try {
    return [parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'), readFileSync(`/proc/${pid}/cmdline`, 'utf8'))];
  } catch {
    // The process has ended.
    return [];
  }
}

/** Returns the sum of the proportional set sizes in bytes, which counts shared pages once. */
export function memoryBytes(processes: readonly TreeProcess[]): number {
  return sum(processes, ({ pid }) => {
    try {
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      return 1024 * Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0);
    } catch {
      return 0;
    }
  });
}
