/**
 * Identifies the processes of this machine, so that a later process can find out whether an earlier one has ended. Does
 * not import the module of coordinator.json, because each worker imports this module, and would then load zod.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Returns an id of the current boot of this machine. Outside Linux, returns the host name. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return hostname();
  }
}

const IDENTITY = /^([0-9a-f-]{36})\.(\d+)\.(\d+)\.(\d+)$/;

/**
 * Returns BOOT.NAMESPACE.PID.START, which no two processes share: the id of the boot, the PID namespace, the process id,
 * and the start time in clock ticks since the boot. Outside Linux, returns the process id.
 */
export function processIdentity(): string {
  const [namespace, start] = [pidNamespace(), startTime(process.pid)];
  return namespace === undefined || start === undefined
    ? `${process.pid}`
    : `${bootId()}.${namespace}.${process.pid}.${start}`;
}

/**
 * Whether the process has certainly ended. Returns false for a process of another machine, of another PID namespace (such
 * as another container) or of an earlier boot, because such a process is not visible here.
 * @param identity a text from `processIdentity`
 */
export function hasEnded(identity: string): boolean {
  const [, boot, namespace, pid, start] = IDENTITY.exec(identity) ?? [];
  if (boot === undefined || boot !== bootId() || namespace !== pidNamespace()) return false;
  if (!isAlive(Number(pid))) return true;
  const current = startTime(Number(pid));
  return current !== undefined && current !== start;
}

function pidNamespace(): string | undefined {
  try {
    return /^pid:\[(\d+)\]$/.exec(readlinkSync('/proc/self/ns/pid'))?.[1];
  } catch {
    return undefined;
  }
}

function startTime(pid: number): string | undefined {
  try {
    // The name of the process is in parentheses, and can contain any character. The start time is the 22nd field.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ')[19];
  } catch {
    return undefined;
  }
}

/** Whether a process with this id exists on this machine, under any user. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM means that the process exists, but belongs to another user.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/**
 * Whether a process of this machine is suspended, for example by SIGSTOP. Returns false if the operating system does
 * not show the state of the process.
 */
export function isSuspended(pid: number): boolean {
  try {
    // The name of the process is in parentheses, and can contain any character.
    const [state] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1) ?? '';
    return state === 'T' || state === 't';
  } catch {
    return false;
  }
}
