/**
 * Decides which slots can run which trials. The scheduler, the answers to claims, and `trawl explain` all use these
 * conditions.
 */
import { ownValue } from '../../lib/domain/own-value.ts';
import type { Shortfall } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Labels } from '../../proto/limits.ts';
import { trainerSpec } from '../../proto/trainers.ts';
import type { SlotFacts } from './agent-model.ts';
import type { Demand } from './policy.ts';

/** The properties of a slot and its agent that a demand can refer to. */
export interface Capability extends SlotFacts {
  readonly backend: string;
  readonly labels: Labels;
  readonly trainers: readonly string[];
}

type Condition = (demand: Demand, slot: Capability) => Shortfall[];

const hasTrainer: Condition = ({ trainer }, { trainers }) => {
  if (trainers.includes(trainer)) return [];
  return [{ kind: { $case: 'trainer', trainer: { required: trainer, available: [...trainers] } } }];
};

const hasGpus: Condition = ({ trainer, resources }, { gpus, backend }) => {
  if (resources.gpu === undefined) return [];
  const required = resources.gpu === false ? 0 : resources.gpu;
  if (required === 0 ? gpus > 0 : gpus < required) {
    return [{ kind: { $case: 'gpus', gpus: { required, available: gpus } } }];
  }
  if (required > 0 && trainerSpec(trainer)?.usesBackend && backend !== 'tensorflow-gpu') {
    return [{ kind: { $case: 'unusedGpu', unusedGpu: { backend } } }];
  }
  return [];
};

const hasVram: Condition = ({ resources: { vramBytes: requiredBytes } }, { vramBytes: availableBytes }) => {
  if (requiredBytes === undefined || availableBytes >= requiredBytes) return [];
  return [{ kind: { $case: 'vram', vram: { requiredBytes, availableBytes } } }];
};

const hasLabels: Condition = ({ resources }, { labels }) =>
  Object.entries(resources.labels).flatMap(([name, required]): Shortfall[] => {
    const actual = ownValue(labels, name);
    if (actual === required) return [];
    const label = { name, required, names: Object.keys(labels), ...(actual === undefined ? {} : { actual }) };
    return [{ kind: { $case: 'label', label } }];
  });

const CONDITIONS: readonly Condition[] = [hasTrainer, hasGpus, hasVram, hasLabels];

/** Returns the requirements in `demand` that the slot does not meet. Empty if the slot can run the trial. */
export function shortfallsOf(demand: Demand, slot: Capability): Shortfall[] {
  return CONDITIONS.flatMap((condition) => condition(demand, slot));
}
