import { execFile } from 'node:child_process';
import { existsSync, statfsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { DatasetStatus } from '../../agent/data/cache.ts';
import type { Gpu } from '../../agent/machine/gpu-tools.ts';
import type { GpuDiscovery } from '../../agent/machine/gpus.ts';
import type { BackendProbe } from '../../agent/machine/probe.ts';
import { ORPHANS_FOLDER, orphanSets } from '../../coordinator/artifacts/orphans.ts';
import type * as NodeVersion from '../../deploy/setup/node-version.mjs';
import { folderProblem, shownPath } from '../../lib/files/folder.ts';
import { countText } from '../../lib/text/numbers.ts';
import { formatSize } from '../../lib/text/size.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { suggested } from '../output/suggested.ts';
import { packageRoot } from '../package.ts';
import type { Finding } from './finding.ts';

/** Checks the version of Node. @param version the value of process.versions.node */
export async function nodeFinding(version: string): Promise<Finding> {
  const path = join(packageRoot(), 'deploy', 'setup', 'node-version.mjs');
  const { nodeProblem }: typeof NodeVersion = await import(pathToFileURL(path).href);
  const [detail = '', fix] = nodeProblem(version)?.split('\n') ?? [version];
  if (fix === undefined) return { name: 'Node', state: 'ok', detail, needed: true };
  return { name: 'Node', state: 'missing', detail, fix, needed: true };
}

/** Returns one finding per backend of TensorFlow.js, and one more if no backend loads. */
export function backendFindings(probes: readonly BackendProbe[], gpus: readonly Gpu[]): readonly Finding[] {
  const findings = probes.map(({ name: backend, loads, reason, tensorflow }): Finding => {
    const name = `backend ${backend}`;
    const version = tensorflow === undefined ? '' : `, TensorFlow ${tensorflow}`;
    if (loads) return { name, state: 'ok', detail: `loads${version}`, needed: false };
    const unused = backend === 'tensorflow-gpu' && gpus.length > 0;
    return { name, state: unused ? 'warning' : 'missing', detail: reason, needed: false };
  });
  if (probes.some(({ loads }) => loads)) return findings;
  const fix = 'run `npm run setup` in the checkout, or reinstall trawl, which includes the wasm backend';
  return [...findings, { name: 'backends', state: 'missing', detail: 'none loads', fix, needed: true }];
}

/** Returns one finding per problem, one for the number of visible GPUs, and one per visible GPU. GPUs are optional. */
export function gpuFindings({ gpus, found, problems, notes }: GpuDiscovery): readonly Finding[] {
  const broken = problems.map((detail): Finding => {
    return {
      name: 'GPUs',
      state: 'warning',
      detail,
      fix: 'check the driver, for example with nvidia-smi',
      needed: false,
    };
  });
  if (found === 0) {
    const detail = 'none found by nvidia-smi, rocm-smi or amd-smi; trials train on the CPU';
    return [...broken, { name: 'GPUs', state: 'ok', detail, needed: false }];
  }
  const reasons = notes.length === 0 ? '' : ` (${notes.join('; ')})`;
  const visible: Finding = {
    name: 'GPUs',
    state: gpus.length === 0 ? 'warning' : 'ok',
    detail: `${gpus.length} of ${found} visible${reasons}`,
    ...(gpus.length === 0 ? { fix: 'to use GPUs, correct the variable; otherwise trials train on the CPU' } : {}),
    needed: false,
  };
  const each = gpus.map(({ id, index, name, memoryBytes }): Finding => {
    const detail = `${name}, ${formatSize(memoryBytes)}${id === `${index}` ? '' : ` (${id})`}`;
    return { name: `GPU ${index}`, state: 'ok', detail, needed: false };
  });
  return [...broken, visible, ...each];
}

/** Returns the finding for a data set. A missing data set is downloaded when a trial first needs it. */
export function datasetFinding({ name, state, detail }: DatasetStatus): Finding {
  const about = { name: `data set ${name}`, detail, needed: false };
  switch (state) {
    case 'cached':
      return { ...about, state: 'ok' };
    case 'missing':
      return { ...about, state: 'warning', fix: 'optional: it is downloaded when a trial first needs it' };
    case 'damaged':
      return { ...about, state: 'missing', needed: true };
  }
}

/**
 * Less free space than this causes a warning. The data sets take 110 MB; metrics and logs take about 100 MB per
 * thousand trials.
 */
const LOW_DISK_BYTES = 2 ** 30;

/**
 * Checks that `folder` is writable and has enough free space. If the folder does not exist, checks its closest existing
 * parent.
 */
export function diskFinding(name: string, folder: string, option = '--dir'): Finding {
  const problem = folderProblem(folder);
  if (problem !== undefined) {
    const detail = `${shownPath(folder)} cannot be used: ${problem}`;
    return { name, state: 'missing', detail, fix: `use another folder with ${option}`, needed: true };
  }
  let existing = resolve(folder);
  while (!existsSync(existing)) existing = dirname(existing);
  const { bavail, bsize } = statfsSync(existing);
  const detail = `${formatSize(bavail * bsize)} free at ${existing}`;
  if (bavail * bsize >= LOW_DISK_BYTES) return { name, state: 'ok', detail, needed: true };
  return {
    name,
    state: 'warning',
    detail,
    fix: `free some space; at least ${formatSize(LOW_DISK_BYTES)} is recommended`,
    needed: true,
  };
}

/**
 * Checks whether a coordinator's data folder has orphans: files that the store did not list, and that the coordinator
 * therefore moved to `orphans/`.
 */
export async function orphansFinding(dir: string): Promise<Finding> {
  const sets = await orphanSets(dir);
  const files = sets.reduce((sum, set) => sum + set.files, 0);
  const bytes = sets.reduce((sum, set) => sum + set.bytes, 0);
  if (files === 0) return { name: 'orphans', state: 'ok', detail: `no orphans in ${dir}`, needed: false };
  const names = sets.map(({ name }) => name).join(', ');
  return {
    name: 'orphans',
    state: 'warning',
    detail: `${countText(files, 'file')} (${formatSize(bytes)}) in ${join(dir, ORPHANS_FOLDER)}: ${names}`,
    fix: `keep the files that are still needed, then run "${suggested('prune --orphans', { dir })}"`,
    needed: false,
  };
}

/** The time limit for the check of Optuna. Loading Optuna takes about a second. */
const PYTHON_LIMIT_MS = 30_000;

/** Checks whether a Python interpreter has Optuna. Only sweeps with method optuna need Optuna. */
export async function optunaFinding(python: string): Promise<Finding> {
  const about = { name: 'Optuna', needed: false } as const;
  const script = 'import optuna, sys; print(optuna.__version__, sys.executable)';
  const onlyFor = 'optional: needed only for sweeps with method optuna';
  try {
    const { stdout } = await promisify(execFile)(python, ['-c', script], { timeout: PYTHON_LIMIT_MS });
    const [version = '', ...executable] = visibleText(stdout.trim()).split(' ');
    return { ...about, state: 'ok', detail: `${version}, in ${executable.join(' ')}` };
  } catch (error) {
    const { code, stderr = '' } = error as { readonly code?: unknown; readonly stderr?: string };
    if (code === 'ENOENT') {
      return { ...about, state: 'warning', detail: `there is no program ${python}`, fix: `${onlyFor}: install Python` };
    }
    const last = visibleText(stderr.trim().split('\n').at(-1) ?? '');
    const isMissing = /No module named '?optuna'?$/.test(last);
    const detail = isMissing
      ? `not installed for ${python}`
      : `could not be loaded by ${python}: ${last || 'no answer'}`;
    return { ...about, state: 'warning', detail, fix: `${onlyFor}: ${python} -m pip install optuna` };
  }
}

/** Peak memory of a worker with the built-in trainer on 60,000 images, plus some reserve. */
export const SLOT_BYTES = 2 ** 30;

/**
 * Checks whether the memory suffices for the default number of slots: one per GPU, or one per core on a machine without
 * GPUs.
 * @param bytes the memory of the machine, or the memory limit of the container of this process
 */
export function memoryFinding(bytes: number, cores: number, gpus = 0): Finding {
  const detail = `${formatSize(bytes)} for ${gpus > 0 ? countText(gpus, 'GPU') : countText(cores, 'core')}`;
  const slots = Math.floor(bytes / SLOT_BYTES);
  if (slots >= (gpus || cores)) return { name: 'memory', state: 'ok', detail, needed: true };
  const fix = `use --slots ${Math.max(1, slots)}: each slot needs up to ${formatSize(SLOT_BYTES)}`;
  return { name: 'memory', state: 'warning', detail, fix, needed: true };
}
