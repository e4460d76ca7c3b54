/** The memory that the processes of an agent can use. */
import { totalmem } from 'node:os';

/** Returns the memory that the processes can use, in bytes: the machine's memory, or the container's limit if lower. */
export function machineMemoryBytes(): number {
  return usableMemoryBytes(totalmem(), process.constrainedMemory());
}

/** Returns the lower of the machine's memory and the container's limit. A limit of 0 means no limit. */
export function usableMemoryBytes(machineBytes: number, containerLimitBytes: number): number {
  return containerLimitBytes > 0 ? Math.min(machineBytes, containerLimitBytes) : machineBytes;
}
