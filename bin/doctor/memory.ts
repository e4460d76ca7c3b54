import { type Finding, sizeText } from './finding.ts';

/** What one worker takes at its height, training the built-in trainer on 60,000 images, and some air. */
export const SLOT_BYTES = 2 ** 30;

/**
 * Whether the memory does for a slot a core.
 * @param bytes what this process may use at most: the machine's, or its container's limit
 * @param cores
 */
export function memoryFinding(bytes: number, cores: number): Finding {
  const detail = `${sizeText(bytes)} for ${cores} core${cores === 1 ? '' : 's'}`;
  const slots = Math.floor(bytes / SLOT_BYTES);
  if (slots >= cores) return { name: 'memory', state: 'ok', detail, needed: true };
  const mend = `use --slots ${Math.max(1, slots)}: a slot takes up to ${sizeText(SLOT_BYTES)}`;
  return { name: 'memory', state: 'warning', detail, mend, needed: true };
}

/** Of the machine, or of the container that this runs in. */
export function usableMemoryBytes(machineBytes: number, containerLimitBytes: number): number {
  return containerLimitBytes > 0 ? Math.min(machineBytes, containerLimitBytes) : machineBytes;
}
