import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  nvidiaError,
  parseAmdSmi,
  parseNvidiaCards,
  parseNvidiaIds,
  parseNvidiaUuids,
  parseRocmSmi,
  withIds,
} from './gpu-tools.ts';

const MIB = 2 ** 20;
const recorded = (name: string) => readFileSync(join(import.meta.dirname, 'fixtures', name), 'utf8');

test('GPUs are parsed from the lines that nvidia-smi prints', () => {
  const text = '0, NVIDIA H100 80GB HBM3, 81559\n1, Tesla T4, 15360\r\n10, Quadro, special edition, 8192\n';
  expect(parseNvidiaCards(text).gpus).toEqual([
    { vendor: 'nvidia', index: 0, name: 'NVIDIA H100 80GB HBM3', memoryBytes: 81559 * MIB },
    { vendor: 'nvidia', index: 1, name: 'Tesla T4', memoryBytes: 15360 * MIB },
    { vendor: 'nvidia', index: 10, name: 'Quadro, special edition', memoryBytes: 8192 * MIB },
  ]);
  expect(parseNvidiaCards(recorded('nvidia-smi-query.txt'))).toMatchObject({ gpus: { length: 4 }, broken: [] });
});

test('a lost GPU and a GPU with an error are reported, and the other GPUs are used', () => {
  const lost = parseNvidiaCards(recorded('nvidia-smi-query-lost.txt'));
  expect(lost.gpus.map(({ index }) => index)).toEqual([0, 3]);
  expect(lost.broken).toEqual([{ index: 1, reason: 'nvidia-smi reports [GPU is lost]' }]);
  expect(nvidiaError(recorded('nvidia-smi-query-lost.txt'))).toMatch(/^Unable to determine .* GPU is lost/);
  expect(parseNvidiaCards(recorded('nvidia-smi-query-err.txt'))).toMatchObject({
    gpus: [{ index: 1 }],
    broken: [{ index: 0, reason: 'nvidia-smi reports ERR!' }],
  });
});

test.each([
  ['nvidia-smi-no-driver.txt', /^NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver/],
  ['nvidia-smi-mismatch.txt', /^Failed to initialize NVML: Driver\/library version mismatch$/],
])('the error in the output %s is reported, and no card is listed', (file, error) => {
  expect(parseNvidiaCards(recorded(file))).toEqual({ gpus: [], broken: [] });
  expect(nvidiaError(recorded(file))).toMatch(error);
});

test('output without GPUs gives an empty list of GPUs, and is not reported as an error', () => {
  for (const text of ['', 'No devices were found\n', '0, 37\n']) {
    expect(parseNvidiaCards(text)).toEqual({ gpus: [], broken: [] });
    expect(nvidiaError(text)).toBeUndefined();
  }
});

test('each GPU gets its UUID from the output of nvidia-smi -L or of a UUID query', () => {
  const { gpus } = parseNvidiaCards(recorded('nvidia-smi-query.txt'));
  const listed = withIds(gpus, parseNvidiaIds(recorded('nvidia-smi-L.txt')));
  expect(listed.map(({ uuid }) => uuid?.slice(0, 8))).toEqual(['GPU-aa11', 'GPU-ab22', 'GPU-cc33', 'GPU-dd44']);
  expect(
    withIds(gpus, parseNvidiaUuids('0, GPU-aa11-0\nNo devices were found\n3, GPU-dd44-3\r\n')).map(({ uuid }) => uuid),
  ).toEqual(['GPU-aa11-0', undefined, undefined, 'GPU-dd44-3']);
});

test('a GPU in MIG mode is replaced by its MIG instances, and each instance has the memory of its profile', () => {
  const { gpus } = parseNvidiaCards(recorded('nvidia-smi-query.txt'));
  const found = withIds(gpus.slice(0, 2), parseNvidiaIds(recorded('nvidia-smi-L-mig.txt')));
  expect(
    found.map(({ index, name, memoryBytes }) => [index, name.replace('NVIDIA A100-SXM4-40GB', '').trim(), memoryBytes]),
  ).toEqual([
    [0, 'MIG 3g.20gb', 20e9],
    [0, 'MIG 2g.10gb', 10e9],
    [0, 'MIG 1c.2g.10gb', 10e9],
    [1, '', 40960 * MIB],
  ]);
  expect(found[0]).toMatchObject({
    uuid: 'MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f',
    migCard: 'GPU-aa11f0d6-d33d-2b2c-524d-9e3d8d2b8a77',
  });
});

test('MIG instances are also parsed from the format that drivers before R470 print', () => {
  const { gpus } = parseNvidiaCards(recorded('nvidia-smi-query-mig-r450.txt'));
  const found = withIds(gpus, parseNvidiaIds(recorded('nvidia-smi-L-mig-r450.txt')));
  expect(found.map(({ uuid }) => uuid)).toEqual([
    'MIG-GPU-e86cb44c-6756-fd30-cd4a-1e6da3caf9b0/1/0',
    'MIG-GPU-e86cb44c-6756-fd30-cd4a-1e6da3caf9b0/2/0',
  ]);
});

test('GPUs are parsed from the JSON text of rocm-smi, with the UUIDs that ROCm uses', () => {
  const { gpus, broken } = parseRocmSmi(recorded('rocm-smi.json'));
  expect(gpus.map(({ index, uuid }) => [index, uuid])).toEqual([
    [0, 'GPU-9246d0b1c3a55e11'],
    [1, 'GPU-7f0a1122cc33dd44'],
    [2, 'GPU-7f0b5566ee77ff88'],
  ]);
  expect(gpus[0]).toMatchObject({ vendor: 'amd', name: 'AMD Instinct MI300X', memoryBytes: 206141652992 });
  expect(broken).toEqual([]);
  expect(
    parseRocmSmi(`WARNING: AMD GPU device(s) is/are in a low-power state.\n\n${recorded('rocm-smi.json')}`).gpus,
  ).toHaveLength(3);
  const cards = {
    card1: { 'VRAM Total Memory (B)': 'N/A' },
    card10: { 'VRAM Total Memory (B)': '8', 'Card series': 'x' },
  };
  expect(parseRocmSmi(JSON.stringify(cards))).toMatchObject({
    gpus: [{ index: 10, name: 'x', uuid: undefined }],
    broken: [{ index: 1 }],
  });
});

test('GPUs are parsed from the array that amd-smi prints, or from the object that newer versions print', () => {
  const text = recorded('amd-smi.json');
  const { gpus } = parseAmdSmi(text);
  expect(gpus).toMatchObject([
    { index: 0, name: 'AMD Instinct MI300X', uuid: 'GPU-9246d0b1c3a55e11', memoryBytes: 196592 * MIB },
    { index: 1, uuid: undefined },
  ]);
  expect(parseAmdSmi(JSON.stringify({ gpu_data: JSON.parse(text) })).gpus).toEqual(gpus);
  expect(parseAmdSmi('[{"gpu": 0, "vram": {"size": "N/A"}}]').broken).toMatchObject([{ index: 0 }]);
});

test('no text causes an exception in the parsers', () => {
  const json = fc.json().map((text) => `${text}`);
  fc.assert(
    fc.property(fc.oneof(fc.string(), json), (text) => {
      for (const parse of [parseNvidiaCards, parseNvidiaIds, parseNvidiaUuids, parseRocmSmi, parseAmdSmi]) parse(text);
    }),
  );
});
