import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { discoverGpus, figuresOfCards, parseGpuFigures } from './gpus.ts';

const FIXTURES = join(import.meta.dirname, 'fixtures');
const path = process.env.PATH;
let bin: string;
beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), 'trawl-gpus-'));
  process.env.PATH = `${bin}:/usr/bin:/bin`;
  // Hides the programs of a real driver, so that the tests do not find the machine's own GPUs.
  for (const name of ['nvidia-smi', 'rocm-smi', 'amd-smi']) install(name, 'exit 127');
});
afterEach(() => {
  process.env.PATH = path;
  rmSync(bin, { recursive: true, force: true });
});

function install(name: string, script: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
}

/** Installs a fake nvidia-smi that prints recorded output. */
function nvidia(query: string, list = 'nvidia-smi-L.txt', code = 0): void {
  install(
    'nvidia-smi',
    `case "$1" in -L) cat '${FIXTURES}/${list}' ;; *) cat '${FIXTURES}/${query}' ;; esac; exit ${code}`,
  );
}

describe('discovery', () => {
  test('if CUDA_VISIBLE_DEVICES lists two of four GPUs by index or by UUID, only these two are used', async () => {
    nvidia('nvidia-smi-query.txt');
    for (const list of ['2,3', 'GPU-cc33,GPU-dd4467']) {
      const { gpus, found, problems } = await discoverGpus({ CUDA_VISIBLE_DEVICES: list });
      expect({ ids: gpus.map(({ id }) => id), found, problems }).toEqual({ ids: ['2', '3'], found: 4, problems: [] });
    }
  });

  test('if one GPU is lost, nvidia-smi fails but the other GPUs are used', async () => {
    nvidia('nvidia-smi-query-lost.txt', 'nvidia-smi-L.txt', 15);
    const { gpus, found, problems } = await discoverGpus({});
    expect(gpus.map(({ index }) => index)).toEqual([0, 3]);
    expect(found).toBe(2);
    expect(problems).toEqual([
      expect.stringMatching(/^Unable to determine the device handle for GPU .* GPU is lost/),
      'GPU 1 cannot be used: nvidia-smi reports [GPU is lost]',
    ]);
  });

  test.each([
    ['nvidia-smi-no-driver.txt', /NVIDIA-SMI has failed/],
    ['nvidia-smi-mismatch.txt', /Failed to initialize NVML/],
  ])('an error of the driver (%s) is reported', async (file, message) => {
    nvidia(file, file, 9);
    const { gpus, problems } = await discoverGpus({ CUDA_VISIBLE_DEVICES: '0' });
    expect(gpus).toEqual([]);
    expect(problems).toEqual([expect.stringMatching(message)]);
  });

  test('discovery waits at most ten seconds for nvidia-smi, even if a child of nvidia-smi keeps the output open', async () => {
    install('nvidia-smi', 'sleep 60');
    const { gpus, problems } = await discoverGpus({});
    expect({ gpus, problems }).toEqual({ gpus: [], problems: ['nvidia-smi did not answer within 10 s'] });
  });

  test('AMD GPUs are found by rocm-smi, or else by amd-smi', async () => {
    install('amd-smi', `cat '${FIXTURES}/amd-smi.json'`);
    expect((await discoverGpus({})).gpus.map(({ id, uuid }) => [id, uuid])).toEqual([
      ['0', 'GPU-9246d0b1c3a55e11'],
      ['1', undefined],
    ]);
    install('rocm-smi', `cat '${FIXTURES}/rocm-smi.json'`);
    const { gpus, found } = await discoverGpus({ HIP_VISIBLE_DEVICES: '2' });
    expect({ ids: gpus.map(({ id }) => id), found }).toEqual({ ids: ['2'], found: 3 });
  });

  test('on a machine without drivers, no GPUs are found and no problem is reported', async () => {
    expect(await discoverGpus({ CUDA_VISIBLE_DEVICES: '0' })).toEqual({
      ...{ gpus: [], found: 0, vendor: undefined },
      ...{ problems: [], notes: [] },
    });
    rmSync(join(bin, 'nvidia-smi'));
    process.env.PATH = bin;
    expect(await discoverGpus({})).toMatchObject({ gpus: [], problems: [] });
  });
});

test('measured values are converted to base units, and values that a GPU does not report are undefined', () => {
  expect(parseGpuFigures('0, 37, 1024, 81559, 41, 118.24\n1, [N/A], 12, 2048, 30, [N/A]\n')).toEqual([
    {
      index: 0,
      utilization: 0.37,
      memoryUsedBytes: 2 ** 30,
      memoryTotalBytes: 81559 * 2 ** 20,
      temperatureCelsius: 41,
      powerWatts: 118.24,
    },
    {
      index: 1,
      utilization: undefined,
      memoryUsedBytes: 12 * 2 ** 20,
      memoryTotalBytes: 2 * 2 ** 30,
      temperatureCelsius: 30,
      powerWatts: undefined,
    },
  ]);
});

test('the measured values of each card list the visible GPUs on that card, even if cards are hidden, reordered or split by MIG', async () => {
  const figures = parseGpuFigures([0, 1, 2, 3].map((index) => `${index}, 1, 1, 1, 1, 1`).join('\n'));
  const cardsOf = async (list: string) =>
    figuresOfCards(figures, (await discoverGpus({ CUDA_VISIBLE_DEVICES: list })).gpus).map(({ index, gpus }) => [
      index,
      gpus,
    ]);
  nvidia('nvidia-smi-query.txt');
  expect(await cardsOf('3,2')).toEqual([
    [2, [1]],
    [3, [0]],
  ]);
  nvidia('nvidia-smi-query.txt', 'nvidia-smi-L-mig.txt');
  const { gpus } = await discoverGpus({});
  const positions = figuresOfCards(figures, gpus).flatMap((card) => card.gpus);
  expect(positions).toEqual(gpus.map((_, position) => position));
  for (const card of figuresOfCards(figures, gpus)) {
    expect(card.gpus.map((position) => gpus[position]?.index)).toEqual(card.gpus.map(() => card.index));
  }
  expect(figuresOfCards(figures, undefined)).toHaveLength(4);
});

test('messages of nvidia-smi are not parsed as measured values', () => {
  expect(parseGpuFigures('No devices were found\n')).toEqual([]);
  expect(parseGpuFigures('0, NVIDIA H100 80GB HBM3, 81559\n')).toEqual([]);
  expect(parseGpuFigures('')).toEqual([]);
});
