import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DatasetStatus } from '../../agent/data/cache.ts';
import type { Gpu } from '../../agent/machine/gpus.ts';
import type { BackendProbe } from '../../agent/machine/probe.ts';
import type * as NodeVersion from '../../deploy/setup/node-version.mjs';
import { formatSize } from '../../lib/text/size.ts';
import { packageRoot } from '../package.ts';
import type { Finding } from './finding.ts';

/** @param version as in process.versions.node */
export async function nodeFinding(version: string): Promise<Finding> {
  const path = join(packageRoot(), 'deploy', 'setup', 'node-version.mjs');
  const { nodeProblem }: typeof NodeVersion = await import(pathToFileURL(path).href);
  const [detail = '', mend] = nodeProblem(version)?.split('\n') ?? [version];
  if (mend === undefined) return { name: 'Node', state: 'ok', detail, needed: true };
  return { name: 'Node', state: 'missing', detail, mend, needed: true };
}

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
    return { name: `GPU ${index}`, state: 'ok', detail: `${name}, ${formatSize(memoryBytes)}`, needed: false };
  });
}

/** A line for each data set. One that is not cached yet is fetched when a trial first asks for it. */
export function datasetFinding({ name, state, detail }: DatasetStatus): Finding {
  const about = { name: `data set ${name}`, detail, needed: false };
  switch (state) {
    case 'cached':
      return { ...about, state: 'ok' };
    case 'missing':
      return { ...about, state: 'warning', mend: 'nothing to do: it is fetched when a trial first asks for it' };
    case 'damaged':
      return { ...about, state: 'missing', needed: true };
  }
}

/** Below this a sweep may fill the disk: the data sets take 110 MB, a thousand trials' metrics and logs some 100 MB. */
const LOW_DISK_BYTES = 2 ** 30;

/** What is free where `folder` is or would be made. */
export function diskFinding(name: string, folder: string): Finding {
  let existing = resolve(folder);
  while (!existsSync(existing)) existing = dirname(existing);
  try {
    accessSync(existing, constants.W_OK | constants.X_OK);
  } catch {
    return {
      name,
      state: 'missing',
      detail: `${existing} is not writable`,
      mend: 'name another with --dir',
      needed: true,
    };
  }
  const { bavail, bsize } = statfsSync(existing);
  const detail = `${formatSize(bavail * bsize)} free at ${existing}`;
  if (bavail * bsize >= LOW_DISK_BYTES) return { name, state: 'ok', detail, needed: true };
  return {
    name,
    state: 'warning',
    detail,
    mend: `free some; ${formatSize(LOW_DISK_BYTES)} is the least to be safe`,
    needed: true,
  };
}

/** What one worker takes at its height, training the built-in trainer on 60,000 images, and some air. */
export const SLOT_BYTES = 2 ** 30;

/**
 * Whether the memory does for a slot a core.
 * @param bytes what this process may use at most: the machine's, or its container's limit
 * @param cores
 */
export function memoryFinding(bytes: number, cores: number): Finding {
  const detail = `${formatSize(bytes)} for ${cores} core${cores === 1 ? '' : 's'}`;
  const slots = Math.floor(bytes / SLOT_BYTES);
  if (slots >= cores) return { name: 'memory', state: 'ok', detail, needed: true };
  const mend = `use --slots ${Math.max(1, slots)}: a slot takes up to ${formatSize(SLOT_BYTES)}`;
  return { name: 'memory', state: 'warning', detail, mend, needed: true };
}

/** Of the machine, or of the container that this runs in. */
export function usableMemoryBytes(machineBytes: number, containerLimitBytes: number): number {
  return containerLimitBytes > 0 ? Math.min(machineBytes, containerLimitBytes) : machineBytes;
}
