/** What machines have, and what sweeps ask for of them. Drawn apart, so that it changes nothing else of a seed. */
import type { Resources } from '../../coordinator/core/model.ts';
import { Random } from '../support/random.ts';

export interface Machinery {
  readonly zone: string;
  /** Of its slots, the first so many have a GPU. */
  readonly gpuSlots: number;
}

/** @param slots of each machine */
export function machineryOf(seed: number, slots: readonly number[]): Machinery[] {
  const random = new Random(seed ^ 0x9001);
  const alike = random.next() < 0.4;
  return slots.map((count) => {
    if (alike) return { zone: 'a', gpuSlots: 0 };
    return { zone: random.pick(['a', 'b']), gpuSlots: random.pick([0, 0, 1, count]) };
  });
}

/**
 * A sweep file's `resources`; empty: it asks for nothing.
 * @param staying machines that are there to the end, with how many slots: one of them can run it
 */
export function resourcesText(random: Random, staying: readonly (Machinery & { readonly slots: number })[]): string {
  if (random.next() < 0.5) return '';
  const { zone, gpuSlots, slots } = random.pick(staying);
  const wanted: string[] = [];
  if (random.next() < 0.6) wanted.push(`labels: {zone: ${zone}}`);
  if (gpuSlots > 0 && random.next() < 0.6) wanted.push('gpu: 1');
  else if (gpuSlots < slots && random.next() < 0.4) wanted.push('gpu: false');
  return wanted.length === 0 ? '' : `resources: {${wanted.join(', ')}}\n`;
}

/** The second opinion on coordinator/core/fitness.ts. @returns whether a slot may run what asks for this */
export function mayRun({ gpu, labels }: Resources, { zone, gpuSlots }: Machinery, slot: number): boolean {
  if (labels.zone !== undefined && labels.zone !== zone) return false;
  return gpu === undefined || (gpu === false ? slot >= gpuSlots : slot < gpuSlots);
}
