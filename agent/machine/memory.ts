/** The memory that the processes of an agent can use. */
import { totalmem } from 'node:os';

/** Returns the memory of this machine, or the limit of its container, in bytes. */
export function machineMemoryBytes(): number {
  return usableMemoryBytes(totalmem(), process.constrainedMemory());
}

/** Returns the memory of the machine, or the limit of its container. */
export function usableMemoryBytes(machineBytes: number, containerLimitBytes: number): number {
  return containerLimitBytes > 0 ? Math.min(machineBytes, containerLimitBytes) : machineBytes;
}
