/**
 * Returns the indexes of the GPUs that a slot uses. With at least as many slots as GPUs, each slot has one GPU, and the
 * slots are distributed evenly over the GPUs. With fewer slots, each slot has the same number of GPUs, and the
 * remaining GPUs are unused. A process can use only one MIG instance, so each slot has one GPU if the machine has MIG
 * instances.
 */
export function slotGpuIndexes(slot: number, slots: number, gpus: number, hasMig: boolean): number[] {
  if (gpus === 0) return [];
  const perSlot = hasMig ? 1 : Math.max(1, Math.floor(gpus / slots));
  const first = (slot * perSlot) % gpus;
  return Array.from({ length: Math.min(perSlot, gpus - first) }, (_, i) => first + i);
}

/**
 * Returns the number of GPUs that each slot uses. Slots that share a GPU use less than 1 each. Returns 0 without
 * GPUs.
 */
export function gpusPerSlot(slots: number, gpus: number): number {
  if (slots === 0 || gpus === 0) return 0;
  return gpus < slots ? gpus / slots : Math.floor(gpus / slots);
}
