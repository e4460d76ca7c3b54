import type { Gpu } from '../../agent/machine/gpus.ts';
import type { BackendProbe } from '../../agent/machine/probe.ts';
import { type Finding, sizeText } from './finding.ts';

/** A line for each backend, and one for all of them if none loads. */
export function backendFindings(probes: readonly BackendProbe[], gpus: readonly Gpu[]): readonly Finding[] {
  const findings = probes.map(({ name: backend, loads, reason, tensorflow }): Finding => {
    const name = `backend ${backend}`;
    const version = tensorflow === undefined ? '' : `, TensorFlow ${tensorflow}`;
    if (loads) return { name, state: 'ok', detail: `loads${version}`, needed: false };
    const unused = backend === 'tensorflow-gpu' && gpus.length > 0;
    return { name, state: unused ? 'warning' : 'missing', detail: reason, needed: false };
  });
  if (probes.some(({ loads }) => loads)) return findings;
  const mend = 'run `npm run setup` in the checkout, or install trawl again: the backend wasm is one of its packages';
  return [...findings, { name: 'backends', state: 'missing', detail: 'none loads', mend, needed: true }];
}

/** A line for each GPU; none is no fault, since trials then train on the CPU. */
export function gpuFindings(gpus: readonly Gpu[]): readonly Finding[] {
  if (gpus.length === 0) {
    return [
      { name: 'GPUs', state: 'ok', detail: 'none (nvidia-smi lists none); trials train on the CPU', needed: false },
    ];
  }
  return gpus.map(({ index, name, memoryBytes }) => {
    return { name: `GPU ${index}`, state: 'ok', detail: `${name}, ${sizeText(memoryBytes)}`, needed: false };
  });
}
