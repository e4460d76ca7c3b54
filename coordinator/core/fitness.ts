/**
 * Who may run what: every condition with its reason in words. The scheduler, the claim and `trawl explain` all ask here.
 */

import { didYouMean } from '../../lib/text/did-you-mean.ts';
import type { Labels } from '../../proto/labels.ts';
import { trainerSpec } from '../../proto/trainers.ts';
import type { Demand, SlotFacts } from './model.ts';

/** What a slot has, and its agent. */
export interface Capability extends SlotFacts {
  readonly backend: string;
  readonly labels: Labels;
  readonly trainers: readonly string[];
}

/** @returns why not, as the end of a sentence about the slot; undefined: it may */
type Condition = (demand: Demand, slot: Capability) => string | undefined;

const trainer: Condition = (demand, slot) => {
  if (slot.trainers.includes(demand.trainer)) return undefined;
  return `it has no trainer ${demand.trainer} (it has ${slot.trainers.join(', ') || 'none'})`;
};

const gpu: Condition = ({ trainer, resources }, { gpus, backend }) => {
  const asked = resources.gpu;
  if (asked === undefined) return undefined;
  if (asked === false) return gpus > 0 ? 'it has a GPU, and gpu: false asks for none' : undefined;
  if (gpus === 0) return `it has no GPU, and gpu: ${asked} asks for ${asked}`;
  if (gpus < asked) return `it has ${gpus} ${gpus === 1 ? 'GPU' : 'GPUs'}, and gpu: ${asked} asks for ${asked}`;
  // A program of the user's own finds its GPU itself.
  if (trainerSpec(trainer)?.usesBackend && backend !== 'tensorflow-gpu') {
    return `its GPU is not used: its backend is ${backend} (trawl doctor on that machine says why)`;
  }
  return undefined;
};

const vram: Condition = ({ resources }, { gpus, vramBytes }) => {
  const asked = resources.vramBytes;
  if (asked === undefined || vramBytes >= asked) return undefined;
  const has = gpus === 0 ? 'no GPU' : `${inGiB(vramBytes)} of GPU memory`;
  return `it has ${has}, and vram asks for ${inGiB(asked)}`;
};

const labels: Condition = ({ resources }, slot) => {
  const lacking = Object.entries(resources.labels).flatMap(([name, value]) => {
    const has = Object.hasOwn(slot.labels, name) ? slot.labels[name] : undefined;
    if (has === value) return [];
    if (has !== undefined) return [`its label ${name} is ${has}, not ${value}`];
    return [`it has no label ${name}${didYouMean(name, Object.keys(slot.labels))}`];
  });
  return lacking.length === 0 ? undefined : lacking.join('; ');
};

const CONDITIONS: readonly Condition[] = [trainer, gpu, vram, labels];

/** Everything that keeps a slot from running what asks for this; nothing does where it is empty. */
export function unfit(demand: Demand, slot: Capability): string[] {
  return CONDITIONS.flatMap((condition) => condition(demand, slot) ?? []);
}

function inGiB(bytes: number): string {
  return `${Math.round((bytes / 2 ** 30) * 10) / 10} GiB`;
}
