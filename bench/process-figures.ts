/** Reads the resource usage of a running process on Linux. */
import { readFileSync } from 'node:fs';

/** The CPU times in /proc are in ticks. A second has 100 ticks on every Linux that Node supports. */
export const TICKS_PER_SECOND = 100;

/** Returns the CPU time (user and system) that a process has used so far, in seconds. */
export function cpuSeconds(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Returns the peak memory of a process in bytes. */
export function peakBytes(pid: number | undefined): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) * 1024;
}

/** Returns the child processes of a process. */
export function childrenOf(pid: number | undefined): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}
