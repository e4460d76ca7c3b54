import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { usableMemoryBytes } from '../../agent/machine/memory.ts';
import { moveToOrphans } from '../../coordinator/artifacts/orphans.ts';
import { artifactStoreFindings } from '../doctor/artifact-store.ts';
import {
  backendFindings,
  datasetFinding,
  diskFinding,
  gpuFindings,
  memoryFinding,
  nodeFinding,
  optunaFinding,
  orphansFinding,
  SLOT_BYTES,
} from '../doctor/checks.ts';
import { examine } from '../doctor/examine.ts';
import { type Finding, faults, findingsText } from '../doctor/finding.ts';
import { natsFinding } from '../doctor/nats.ts';

const gpu = { vendor: 'nvidia', index: 0, id: '0', name: 'NVIDIA A100', memoryBytes: 40 * 2 ** 30 } as const;
const wasmOnly = [
  { name: 'tensorflow-gpu', loads: false, reason: 'no native part' },
  { name: 'wasm', loads: true, reason: '' },
] as const;

test('doctor finds no fault on the machine that runs the tests', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-doctor-test-'));
  try {
    const findings = await examine({ nats: undefined, dir, agentDir: dir, python: 'python3', env: process.env });
    expect(faults(findings)).toEqual([]);
    expect(findings.find(({ name }) => name === 'nats-server')?.detail).toContain('JetStream');
    expect(findings).toContainEqual({ name: 'backend wasm', state: 'ok', detail: 'loads', needed: false });
    expect(findings.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        ...[
          'data set mnist',
          'disk, sweeps',
          'disk, agent',
          'memory',
          'GPUs',
          'web proxy',
          'host name',
          'program start',
          'agent id',
        ],
      ]),
    );
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('if a NATS server does not answer, doctor reports a fault and its fix', async () => {
  const finding = await natsFinding('nats://127.0.0.1:1');
  expect(faults([finding])).toHaveLength(1);
  expect(finding).toMatchObject({
    detail: expect.stringContaining('ECONNREFUSED'),
    fix: expect.stringContaining('--nats'),
  });
});

test('doctor warns about orphaned artifacts, with their folder, number and size', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'trawl-doctor-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  expect(await orphansFinding(dir)).toMatchObject({ state: 'ok' });
  writeFileSync(join(dir, 'model.pt'), 'weights');
  await moveToOrphans(dir, ['model.pt'], 0);
  expect(await orphansFinding(dir)).toMatchObject({
    state: 'warning',
    detail: `1 file (7 B) in ${join(dir, 'orphans')}: 1970-01-01T00-00-00.000Z`,
    fix: expect.stringContaining('trawl prune --orphans'),
  });
});

test('doctor shows whether Python has Optuna, which is optional', async () => {
  const missing = await optunaFinding('/no/such/python');
  expect(missing).toMatchObject({ name: 'Optuna', state: 'warning', detail: 'there is no program /no/such/python' });
  const broken = await optunaFinding('false');
  expect(broken).toMatchObject({ state: 'warning', fix: expect.stringContaining('false -m pip install optuna') });
  expect(faults([missing, broken])).toEqual([]);
});

test('doctor reports an old version of Node as a fault, and accepts the current version', async () => {
  expect(await nodeFinding('18.20.0')).toMatchObject({ state: 'missing', fix: expect.stringContaining('nodejs.org') });
  expect(await nodeFinding(process.versions.node)).toMatchObject({ state: 'ok' });
});

test('doctor reports a fault if no backend loads, but not if at least one backend loads', () => {
  expect(faults(backendFindings(wasmOnly, []))).toEqual([]);
  expect(faults(backendFindings([{ ...wasmOnly[1], loads: false, reason: 'broken' }], []))).toHaveLength(1);
});

test('doctor warns about a GPU that no backend can use, and gives no warning on a machine without GPUs', () => {
  expect(backendFindings(wasmOnly, [gpu])[0]?.state).toBe('warning');
  expect(backendFindings(wasmOnly, [])[0]?.state).toBe('missing');
  expect(gpuFindings({ gpus: [], found: 0, vendor: 'nvidia', problems: [], notes: [] })).toMatchObject([
    { state: 'ok' },
  ]);
  expect(gpuFindings({ gpus: [gpu], found: 1, vendor: 'nvidia', problems: [], notes: [] })).toMatchObject([
    { name: 'GPUs', state: 'ok', detail: '1 of 1 visible' },
    { name: 'GPU 0', detail: 'NVIDIA A100, 40 GiB' },
  ]);
});

test('doctor reports hidden and broken GPUs with the reason', () => {
  const notes = ['CUDA_VISIBLE_DEVICES=1 makes 1 of 4 GPUs visible'];
  const problems = ['GPU 2 cannot be used: nvidia-smi reports [GPU is lost]'];
  expect(gpuFindings({ gpus: [gpu], found: 4, vendor: 'nvidia', problems, notes })).toMatchObject([
    { name: 'GPUs', state: 'warning', detail: problems[0], fix: expect.stringContaining('driver') },
    { name: 'GPUs', state: 'ok', detail: `1 of 4 visible (${notes[0]})` },
    { name: 'GPU 0' },
  ]);
  expect(
    gpuFindings({
      gpus: [],
      found: 4,
      vendor: 'nvidia',
      problems: [],
      notes: ['CUDA_VISIBLE_DEVICES= makes no GPU visible'],
    }),
  ).toMatchObject([
    {
      state: 'warning',
      detail: '0 of 4 visible (CUDA_VISIBLE_DEVICES= makes no GPU visible)',
      fix: expect.any(String),
    },
  ]);
  const instance = { ...gpu, id: 'MIG-1e85', name: 'NVIDIA A100 MIG 1g.5gb' };
  expect(gpuFindings({ gpus: [instance], found: 1, vendor: 'nvidia', problems: [], notes: [] })[1]?.detail).toContain(
    '(MIG-1e85)',
  );
});

test('doctor reports a damaged data set as a fault, and accepts a missing data set', () => {
  const about = { name: 'mnist', detail: 'why' } as const;
  expect(faults([datasetFinding({ ...about, state: 'damaged' })])).toHaveLength(1);
  expect(faults([datasetFinding({ ...about, state: 'missing' })])).toEqual([]);
  expect(datasetFinding({ ...about, state: 'cached' }).state).toBe('ok');
});

test('if a folder does not exist yet, doctor checks its closest existing parent', () => {
  expect(diskFinding('disk', join(tmpdir(), 'no', 'such', 'folder')).detail).toContain(`free at ${tmpdir()}`);
});

test.each(['/dev/null', '/dev/null/below', ''])(
  'doctor reports the unusable folder %j as a fault, with a fix',
  (folder) => {
    const finding = diskFinding('disk', folder, '--agent-dir');
    expect(faults([finding])).toHaveLength(1);
    expect(finding).toMatchObject({
      detail: expect.stringContaining('cannot be used: '),
      fix: 'use another folder with --agent-dir',
    });
  },
);

test('if memory is too small for the default slots, doctor warns and names the number of slots that fit', () => {
  expect(memoryFinding(4 * SLOT_BYTES, 4).state).toBe('ok');
  expect(memoryFinding(4 * SLOT_BYTES - 1, 4)).toMatchObject({
    state: 'warning',
    fix: expect.stringContaining('--slots 3'),
  });
  expect(memoryFinding(1, 1).fix).toContain('--slots 1');
  expect(memoryFinding(8 * SLOT_BYTES, 128, 8)).toMatchObject({ state: 'ok', detail: '8 GiB for 8 GPUs' });
  expect(memoryFinding(8 * SLOT_BYTES - 1, 128, 8).fix).toContain('--slots 7');
});

test('doctor uses the memory limit of a container, if there is a limit', () => {
  expect(usableMemoryBytes(100, 0)).toBe(100);
  expect(usableMemoryBytes(100, 40)).toBe(40);
  expect(usableMemoryBytes(100, 2 ** 64)).toBe(100);
});

test('the output of doctor has one line per finding, its fix below the line, and a verdict that names the faults', () => {
  const findings: Finding[] = [
    { name: 'Node', state: 'ok', detail: '20.20.2', needed: true },
    { name: 'nats-server', state: 'missing', detail: 'none', fix: 'install it\nor name one', needed: true },
  ];
  expect(findingsText(findings, { width: undefined, color: false })).toBe(
    [
      'ok       Node         20.20.2',
      'missing  nats-server  none',
      '                      install it',
      '                      or name one',
      '',
      'This machine cannot run sweeps yet: fix nats-server.',
      '',
    ].join('\n'),
  );
});

test('doctor warns about an artifact store that lacks checksums or direct transfers, or whose clock differs from that of this machine', () => {
  const facts = { where: 's3://b/', verifiesChecksums: true, clockDifferenceMs: 59_000, presignedStatus: 200 };
  const warnings = (changed: Partial<typeof facts>) => artifactStoreFindings({ ...facts, ...changed }).slice(1);
  expect(warnings({})).toEqual([]);
  expect(warnings({ clockDifferenceMs: 61_000 })).toMatchObject([
    { state: 'warning', detail: 'the clock of this machine is 61 s behind the clock of the server' },
  ]);
  expect(warnings({ clockDifferenceMs: -120_000 })).toMatchObject([
    { detail: 'the clock of this machine is 120 s ahead of the clock of the server' },
  ]);
  expect(warnings({ verifiesChecksums: false })).toMatchObject([
    { detail: expect.stringContaining('does not verify SHA-256') },
  ]);
  expect(warnings({ presignedStatus: 403 })).toMatchObject([{ fix: expect.stringContaining('direct=false') }]);
});
