/** What a sweep's trials ask of the slot that runs them. */

import { parseSize } from '../../lib/text/size.ts';
import type { TrainerSpec } from '../../proto/trainers.ts';
import type { Resources } from '../core/model.ts';
import type { Findings } from './locate.ts';
import type { SweepFile } from './schema.ts';

export function resourcesOf({ resources, trainer }: SweepFile, spec: TrainerSpec, findings: Findings): Resources {
  const { gpu, vram, labels = {} } = resources ?? {};
  if (gpu === false && vram !== undefined) {
    findings.atKey(['resources', 'vram'], 'vram asks for memory of a GPU, and gpu: false for none; keep one of them');
  }
  if (typeof gpu === 'number' && gpu > 1 && spec.usesBackend) {
    const message = `gpu: trainer ${trainer} computes on one GPU; ${gpu} are for a program of your own (command)`;
    findings.atValue(['resources', 'gpu'], message);
  }
  const vramBytes = vram === undefined ? undefined : parseSize(vram);
  return {
    ...(gpu === undefined ? {} : { gpu }),
    ...(vramBytes === undefined ? {} : { vramBytes }),
    labels,
  };
}
