/** What Linux says of a running process. */
import { readFileSync } from 'node:fs';

/** The kernel's unit of CPU time, in Hz: 100 on every Linux that Node runs on. */
const TICKS_A_SECOND = 100;

/** CPU seconds, user and system, of a process so far. */
export function cpuSeconds(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

/** The most memory that a process ever held, in bytes. */
export function peakBytes(pid: number | undefined): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1]) * 1024;
}
