import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseNvidiaCards, parseNvidiaIds, parseNvidiaUuids, parseRocmSmi, withIds } from './gpu-tools.ts';
import { gpuEnvironment, visibleGpus } from './visible-gpus.ts';

const recorded = (name: string) => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');
const { gpus: CARDS } = parseNvidiaCards(recorded('nvidia-smi-query.txt'));
const GPUS = withIds(CARDS, parseNvidiaUuids('0, GPU-aa11-0\n1, GPU-ab22-1\n2, GPU-cc33-2\n3, GPU-dd44-3\n'));
const MIG = withIds(CARDS.slice(0, 2), parseNvidiaIds(recorded('nvidia-smi-L-mig.txt')));
const OLD_MIG = withIds(
  parseNvidiaCards(recorded('nvidia-smi-query-mig-r450.txt')).gpus,
  parseNvidiaIds(recorded('nvidia-smi-L-mig-r450.txt')),
);
const { gpus: AMD } = parseRocmSmi(recorded('rocm-smi.json'));

const indexes = (env: Record<string, string | undefined>, gpus = GPUS) =>
  visibleGpus(gpus, env).gpus.map(({ index }) => index);

test.each([
  [undefined, [0, 1, 2, 3]],
  ['2,3', [2, 3]],
  [' 3 , 1', [3, 1]],
  ['', []],
  ['-1', []],
  ['0,-1,2', [0]],
  ['0,2,-1,1', [0, 2]],
  ['0,9,2', [0]],
  ['0,,2', [0]],
  ['1,1', []],
  ['0,1,0', []],
  ['NoDevFiles', []],
  ['all', []],
  ['1e0', []],
  ['GPU-cc33-2', [2]],
  ['GPU-ab,GPU-aa', [1, 0]],
  ['GPU-a', []],
  ['GPU-d,GPU-dd44', []],
  ['GPU-d,0', [3]],
  ['0,GPU-d', [0]],
  ['GPU-ffff,GPU-d', []],
  ['MIG-5f1e', []],
])('CUDA_VISIBLE_DEVICES=%j makes %j visible', (list, expected) => {
  expect(indexes({ CUDA_VISIBLE_DEVICES: list })).toEqual(expected);
});

test('CUDA_VISIBLE_DEVICES makes each GPU visible at most once, and an additional entry hides GPUs only if it repeats a GPU', () => {
  const entry = fc.constantFrom('0', '1', '2', '3', '9', '-1', '');
  fc.assert(
    fc.property(fc.array(entry, { minLength: 2, maxLength: 6 }), (entries) => {
      const whole = indexes({ CUDA_VISIBLE_DEVICES: entries.join(',') });
      const part = indexes({ CUDA_VISIBLE_DEVICES: entries.slice(0, -1).join(',') });
      expect(new Set(whole).size).toBe(whole.length);
      const end = entries.findIndex((text) => !['0', '1', '2', '3'].includes(text));
      const valid = end < 0 ? entries : entries.slice(0, end);
      if (new Set(valid).size < valid.length) expect(whole).toEqual([]);
      else expect(whole.slice(0, part.length)).toEqual(part);
    }),
  );
});

describe('MIG instances', () => {
  const ids = (list: string | undefined, gpus = MIG) =>
    visibleGpus(gpus, { CUDA_VISIBLE_DEVICES: list }).gpus.map(({ id }) => id.slice(0, 8));

  test.each([
    [undefined, ['MIG-c6d4', 'MIG-cba6', 'MIG-1e85', 'GPU-ab22']],
    ['MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb', ['MIG-cba6']],
    ['MIG-1e,MIG-c6', ['MIG-1e85', 'MIG-c6d4']],
    ['MIG-c', []],
    ['MIG-1e,GPU-ab22', ['MIG-1e85']],
    ['MIG-1e,MIG-1e85', []],
    // As in CUDA, the name of a card in MIG mode selects the first instance on the card.
    ['0', ['MIG-c6d4']],
    ['GPU-aa11', ['MIG-c6d4']],
    ['1,0', ['GPU-ab22', 'MIG-c6d4']],
    ['MIG-GPU-aa11f0d6-d33d-2b2c-524d-9e3d8d2b8a77/7/0', ['MIG-GPU-']],
    ['MIG-GPU-ffffffff-d33d-2b2c-524d-9e3d8d2b8a77/7/0', []],
    ['', []],
  ])('on a machine with MIG instances, CUDA_VISIBLE_DEVICES=%j makes %j visible', (list, expected) => {
    expect(ids(list)).toEqual(expected);
  });

  test('the name of a MIG instance in the format of older drivers must match exactly', () => {
    const [first, second] = OLD_MIG.map(({ uuid }) => uuid);
    expect(visibleGpus(OLD_MIG, { CUDA_VISIBLE_DEVICES: `${second},${first}` }).gpus.map(({ id }) => id)).toEqual([
      second,
      first,
    ]);
    expect(ids(`${first}0`, OLD_MIG)).toEqual([]);
  });

  test('a worker gets the UUID of its MIG instance', () => {
    const { gpus } = visibleGpus(MIG, { CUDA_VISIBLE_DEVICES: 'MIG-1e' });
    expect(gpuEnvironment('nvidia', gpus)).toEqual({
      CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
      CUDA_VISIBLE_DEVICES: 'MIG-1e852099-16ab-5e5f-8dd2-32c6ba4c4c59',
    });
  });
});

describe('the GPU variables of workers', () => {
  test('workers get the indexes of nvidia-smi, which numbers the GPUs in the order of the PCI bus', () => {
    expect(gpuEnvironment('nvidia', visibleGpus(GPUS, { CUDA_VISIBLE_DEVICES: '3,1' }).gpus)).toEqual({
      CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
      CUDA_VISIBLE_DEVICES: '3,1',
    });
  });

  test('workers get UUIDs if a GPU is broken, because CUDA may then number the GPUs differently', () => {
    const { gpus } = parseNvidiaCards(recorded('nvidia-smi-query-lost.txt'));
    const known = withIds(gpus, parseNvidiaIds(recorded('nvidia-smi-L.txt')));
    expect(
      gpuEnvironment('nvidia', visibleGpus(known, { CUDA_VISIBLE_DEVICES: '3' }).gpus).CUDA_VISIBLE_DEVICES,
    ).toMatch(/^GPU-dd44/);
  });

  test('workers get no GPU variables on a machine without GPUs; if a machine has GPUs but none is visible, the variables exclude all GPUs', () => {
    expect(gpuEnvironment(undefined, [])).toEqual({});
    expect(gpuEnvironment('nvidia', []).CUDA_VISIBLE_DEVICES).toBe('');
    // If HIP_VISIBLE_DEVICES were empty, HIP would use all GPUs.
    expect(gpuEnvironment('amd', [])).toMatchObject({ HIP_VISIBLE_DEVICES: '-1', CUDA_VISIBLE_DEVICES: '-1' });
  });
});

describe('NVIDIA_VISIBLE_DEVICES', () => {
  test.each([
    [undefined, [0, 1, 2, 3]],
    ['all', [0, 1, 2, 3]],
    ['', [0, 1, 2, 3]],
    ['void', [0, 1, 2, 3]],
    ['none', []],
    ['2,3', [2, 3]],
    ['GPU-cc33-2', [2]],
    ['/var/run/nvidia-container-devices', [0, 1, 2, 3]],
    ['nvidia.com/gpu=0', [0, 1, 2, 3]],
    ['7', [0, 1, 2, 3]],
  ])('NVIDIA_VISIBLE_DEVICES=%j makes %j visible', (list, expected) => {
    expect(indexes({ NVIDIA_VISIBLE_DEVICES: list })).toEqual(expected);
  });

  test('NVIDIA_VISIBLE_DEVICES is not applied again in a container, where the GPUs have new indexes', () => {
    expect(indexes({ NVIDIA_VISIBLE_DEVICES: '2,3' }, GPUS.slice(0, 2))).toEqual([0, 1]);
    expect(indexes({ NVIDIA_VISIBLE_DEVICES: 'GPU-cc33-2,GPU-dd44-3' }, GPUS.slice(2))).toEqual([2, 3]);
  });

  test('NVIDIA_VISIBLE_DEVICES limits the GPUs that CUDA_VISIBLE_DEVICES can name', () => {
    expect(indexes({ NVIDIA_VISIBLE_DEVICES: '2,3', CUDA_VISIBLE_DEVICES: '3,0' })).toEqual([3]);
    expect(indexes({ NVIDIA_VISIBLE_DEVICES: 'none', CUDA_VISIBLE_DEVICES: '0' })).toEqual([]);
  });
});

describe('AMD GPUs in containers and jobs', () => {
  const ids = (env: Record<string, string>) => visibleGpus(AMD, env).gpus.map(({ index, id }) => [index, id]);

  test.each<[Record<string, string>, [number, string][]]>([
    [
      {},
      [
        [0, '0'],
        [1, '1'],
        [2, '2'],
      ],
    ],
    [
      { HIP_VISIBLE_DEVICES: '2,0' },
      [
        [2, '2'],
        [0, '0'],
      ],
    ],
    [{ HIP_VISIBLE_DEVICES: '' }, []],
    [{ HIP_VISIBLE_DEVICES: '0,-1,2' }, [[0, '0']]],
    [{ CUDA_VISIBLE_DEVICES: '1' }, [[1, '1']]],
    [{ HIP_VISIBLE_DEVICES: '0', CUDA_VISIBLE_DEVICES: '1' }, [[0, '0']]],
    [
      { GPU_DEVICE_ORDINAL: '1,2' },
      [
        [1, '1'],
        [2, '2'],
      ],
    ],
    [
      { ROCR_VISIBLE_DEVICES: '1,2' },
      [
        [1, '0'],
        [2, '1'],
      ],
    ],
    [{ ROCR_VISIBLE_DEVICES: '1,2', HIP_VISIBLE_DEVICES: '1' }, [[2, '1']]],
    [{ ROCR_VISIBLE_DEVICES: '1,2', HIP_VISIBLE_DEVICES: '2' }, []],
    [
      { ROCR_VISIBLE_DEVICES: '2,GPU-9246D0B1C3A55E11' },
      [
        [2, '0'],
        [0, '1'],
      ],
    ],
    [{ ROCR_VISIBLE_DEVICES: 'GPU-ffff' }, []],
    [{ ROCR_VISIBLE_DEVICES: '' }, []],
    [
      { NVIDIA_VISIBLE_DEVICES: 'none' },
      [
        [0, '0'],
        [1, '1'],
        [2, '2'],
      ],
    ],
  ])('the AMD variables %j make the GPUs %j visible', (env, expected) => {
    expect(ids(env)).toEqual(expected);
  });

  test("the indexes in a worker's HIP_VISIBLE_DEVICES count only the GPUs that ROCR_VISIBLE_DEVICES makes visible", () => {
    const { gpus } = visibleGpus(AMD, { ROCR_VISIBLE_DEVICES: '1,2', HIP_VISIBLE_DEVICES: '1' });
    expect(gpuEnvironment('amd', gpus)).toEqual({
      HIP_VISIBLE_DEVICES: '1',
      CUDA_VISIBLE_DEVICES: '1',
      GPU_DEVICE_ORDINAL: '1',
    });
  });
});

describe('notes', () => {
  const notes = (env: Record<string, string>, gpus = GPUS) => visibleGpus(gpus, env).notes;

  test.each<[Record<string, string>, string]>([
    [{ CUDA_VISIBLE_DEVICES: '' }, 'CUDA_VISIBLE_DEVICES= makes no GPU visible'],
    [{ CUDA_VISIBLE_DEVICES: '2,3' }, 'CUDA_VISIBLE_DEVICES=2,3 makes 2 of 4 GPUs visible'],
    [
      { CUDA_VISIBLE_DEVICES: '0,9,2' },
      'CUDA_VISIBLE_DEVICES: "9" names no usable GPU; the entries after it are ignored (1)',
    ],
    [{ CUDA_VISIBLE_DEVICES: '0,9' }, 'CUDA_VISIBLE_DEVICES: "9" names no usable GPU'],
    [{ CUDA_VISIBLE_DEVICES: '1,1' }, 'CUDA_VISIBLE_DEVICES names a GPU twice (1), so CUDA finds no GPU'],
    [{ NVIDIA_VISIBLE_DEVICES: 'none' }, 'NVIDIA_VISIBLE_DEVICES=none makes no GPU visible'],
    [
      { SLURM_JOB_GPUS: '0-1' },
      'Slurm allocated the GPUs 0-1 of this node, but 4 are visible: other jobs can use the rest',
    ],
    [{ SLURM_STEP_GPUS: '4,5,6,7', SLURM_JOB_GPUS: '0' }, 'Slurm allocated the GPUs 4,5,6,7 of this node'],
  ])('the GPU variables %j give one note', (env, expected) => {
    expect(notes(env)).toEqual([expected]);
  });

  test('no note is given if the variables exclude no GPU', () => {
    expect(notes({})).toEqual([]);
    expect(notes({ CUDA_VISIBLE_DEVICES: '0,1,2,3', CUDA_DEVICE_ORDER: 'FASTEST_FIRST' })).toEqual([]);
  });

  test('on a machine with different GPU models, a note states that the order FASTEST_FIRST is ignored', () => {
    const mixed = GPUS.map((gpu) => (gpu.index === 0 ? { ...gpu, name: 'Tesla T4' } : gpu));
    const env = { CUDA_VISIBLE_DEVICES: '0,1,2,3', CUDA_DEVICE_ORDER: 'FASTEST_FIRST' };
    expect(notes(env, mixed)).toEqual([
      expect.stringContaining('the indexes in CUDA_VISIBLE_DEVICES are those of nvidia-smi'),
    ]);
    expect(notes({ ...env, CUDA_VISIBLE_DEVICES: 'GPU-a,GPU-c' }, mixed).join()).not.toContain('FASTEST_FIRST');
  });
});
