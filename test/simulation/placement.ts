/**
 * Draws the resources of machines, and the resources that sweeps request. The resources of machines come from a
 * separate random stream, so that drawing them does not change the rest of a seed's scenario.
 */
import type { Resources } from '../../coordinator/core/policy.ts';
import { TestRandom } from '../support/random.ts';

export interface MachineResources {
  readonly zone: string;
  /** The number of slots with a GPU. These slots come first. */
  readonly gpuSlots: number;
}

/**
 * Returns the resources of each machine.
 * @param slots the number of slots of each machine
 */
export function resourcesOf(seed: number, slots: readonly number[]): MachineResources[] {
  const random = new TestRandom(seed ^ 0x9001);
  const alike = random.next() < 0.4;
  return slots.map((count) => {
    if (alike) return { zone: 'a', gpuSlots: 0 };
    return { zone: random.pick(['a', 'b']), gpuSlots: random.pick([0, 0, 1, count]) };
  });
}

/**
 * Returns the `resources` of a sweep file; empty if the sweep requests no resources.
 * @param staying the machines that never leave; at least one of them satisfies the requests
 */
export function resourcesText(
  random: TestRandom,
  staying: readonly (MachineResources & { readonly slots: number })[],
): string {
  if (random.next() < 0.5) return '';
  const { zone, gpuSlots, slots } = random.pick(staying);
  const wanted: string[] = [];
  if (random.next() < 0.6) wanted.push(`labels: {zone: ${zone}}`);
  if (gpuSlots > 0 && random.next() < 0.6) wanted.push('gpu: 1');
  else if (gpuSlots < slots && random.next() < 0.4) wanted.push('gpu: false');
  return wanted.length === 0 ? '' : `resources: {${wanted.join(', ')}}\n`;
}

/** Returns whether a slot satisfies the requests. Does not call the code under test (coordinator/core/fitness.ts). */
export function canRun({ gpu, labels }: Resources, { zone, gpuSlots }: MachineResources, slot: number): boolean {
  if (labels.zone !== undefined && labels.zone !== zone) return false;
  return gpu === undefined || (gpu === false ? slot >= gpuSlots : slot < gpuSlots);
}
