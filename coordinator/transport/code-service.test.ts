import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CodeServiceClient, type PutCodeRequest, type PutCodeResponse } from '../../proto/gen/trawl/v1/code_service.ts';
import {
  type GetSourceRequest,
  type GetSourceResponse,
  type SubmitRequest,
  type SubmitResponse,
  SweepServiceClient,
} from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { CodeArchive, Source } from '../../proto/gen/trawl/v1/types.ts';
import { INSECURE, newFolder, type Served, type ServeOptions, serve } from '../../test/support/coordinator/serve.ts';

let dir: string;
let served: Served;
let client: CodeServiceClient;
let sweeps: SweepServiceClient;

beforeEach(() => begin());
afterEach(end);

async function begin(options: ServeOptions = {}): Promise<void> {
  dir = newFolder();
  served = await serve(dir, options);
  client = new CodeServiceClient(served.address, INSECURE);
  sweeps = new SweepServiceClient(served.address, INSECURE);
}

function end(): void {
  client.close();
  sweeps.close();
  served.stop();
}

const BYTES = Buffer.from(Array.from({ length: 3_000 }, (_, i) => i % 251));
const ARCHIVE: CodeArchive = { sha256: createHash('sha256').update(BYTES).digest('hex'), size: BYTES.length };
const SWEEP = 'command: [python3, a.py]\ncode: .\nmetric: {name: loss}\nparameters: {x: {values: [1, 2]}}\n';
const GIT = {
  commit: 'c0ffee',
  branch: 'main',
  remote: '',
  dirty: true,
  untracked: [],
  untrackedCount: 0,
  missing: '',
};
const SOURCE: Source = { archive: ARCHIVE, files: 2, git: GIT, diff: '-a\n+b\n' };

/** Uploads an archive, and returns the answers of the server. */
function put(chunks: readonly Uint8Array[], header: CodeArchive = ARCHIVE): Promise<PutCodeResponse['message'][]> {
  const call = client.putCode();
  const answers: PutCodeResponse['message'][] = [];
  const write = (message: PutCodeRequest['message']) => call.write({ message });
  return new Promise((resolve, reject) => {
    call.on('data', ({ message }: PutCodeResponse) => {
      answers.push(message);
      if (message?.$case !== 'offset') return;
      for (const chunk of chunks) write({ $case: 'chunk', chunk: Buffer.from(chunk) });
      call.end();
    });
    call.on('error', reject);
    call.on('end', () => resolve(answers));
    write({ $case: 'header', header });
  });
}

async function read(offset = 0, sha256 = ARCHIVE.sha256): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const { chunk } of client.readCode({ sha256, offset })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const submit = (more: Partial<SubmitRequest> = {}) => {
  const request = { fileName: 's.yaml', text: SWEEP, requestId: 'r', source: SOURCE, ...more };
  return promisify<SubmitRequest, SubmitResponse>(sweeps.submit.bind(sweeps))(request);
};
const archives = () =>
  existsSync(join(dir, 'code')) ? readdirSync(join(dir, 'code')).filter((name) => !name.startsWith('.')) : [];

test('an archive is stored once and can be read from any offset, and a submitted sweep can refer to it', async () => {
  expect(await put([BYTES])).toEqual([
    { $case: 'offset', offset: 0 },
    { $case: 'stored', stored: true },
  ]);
  expect(await put([])).toEqual([{ $case: 'stored', stored: true }]);
  expect(await read()).toEqual(BYTES);
  expect(await read(2_990)).toEqual(BYTES.subarray(2_990));
  const { sweep } = await submit();
  const getSource = promisify<GetSourceRequest, GetSourceResponse>(sweeps.getSource.bind(sweeps));
  const { source } = await getSource({ sweep: sweep?.id ?? '' });
  expect(source).toEqual(SOURCE);
  expect(served.runtime.core.sweeps.get('1')?.policy.program?.code).toEqual(ARCHIVE);
});

test('an interrupted upload resumes, and no incomplete archive is visible', async () => {
  await expect(put([BYTES.subarray(0, 1_000)])).rejects.toMatchObject({
    details: expect.stringContaining('ended early'),
  });
  expect(archives()).toEqual([]);
  await expect(read()).rejects.toMatchObject({ code: status.NOT_FOUND });
  await expect(submit()).rejects.toMatchObject({
    code: status.NOT_FOUND,
    details: expect.stringContaining('upload it'),
  });
  expect(await put([BYTES.subarray(1_000)])).toEqual([
    { $case: 'offset', offset: 1_000 },
    { $case: 'stored', stored: true },
  ]);
  expect(await read()).toEqual(BYTES);
});

test('a damaged upload is rejected, and the next upload starts from the beginning', async () => {
  await expect(put([Buffer.alloc(BYTES.length)])).rejects.toMatchObject({ code: status.DATA_LOSS });
  expect(archives()).toEqual([]);
  expect((await put([BYTES]))[0]).toEqual({ $case: 'offset', offset: 0 });
});

test('if two clients upload the same archive at the same time, both calls succeed, but only one client sends the data', async () => {
  const results = await Promise.all([put([BYTES]), put([BYTES])]);
  expect(results.map((answers) => answers.at(-1))).toEqual([
    { $case: 'stored', stored: true },
    { $case: 'stored', stored: true },
  ]);
  expect(results.map((answers) => answers.length).sort()).toEqual([1, 2]);
});

test.each<[string, CodeArchive, RegExp]>([
  ['no valid checksum', { ...ARCHIVE, sha256: '../../store.db' }, /no valid SHA-256/],
  ['no bytes', { ...ARCHIVE, size: 0 }, /has 0 B: expected more than 0 and at most 1 GiB/],
  ['more bytes than the limit', { ...ARCHIVE, size: 2 ** 30 + 1 }, /at most 1 GiB/],
])('an archive with %s is rejected before any of its data is stored', async (_, header, message) => {
  await expect(put([BYTES], header)).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: expect.stringMatching(message),
  });
  expect(existsSync(join(dir, 'code'))).toBe(false);
});

test('an upload that sends more data than announced is aborted', async () => {
  const endless = Array.from({ length: 50 }, () => Buffer.alloc(100_000));
  await expect(put(endless)).rejects.toMatchObject({ details: expect.stringContaining('larger than the 3000 bytes') });
});

test('an upload whose client sends no data times out, and another client can upload the archive', async () => {
  end();
  await begin({ stallMs: 200 });
  const call = client.putCode();
  const failed = new Promise<unknown>((resolve) => call.on('error', resolve));
  call.on('data', () => {});
  call.write({ message: { $case: 'header', header: ARCHIVE } });
  await sleep(50);
  expect((await put([BYTES])).at(-1)).toEqual({ $case: 'stored', stored: true });
  expect(await failed).toMatchObject({ code: status.DEADLINE_EXCEEDED });
});

test('an upload of code must begin with its header, and a second header is rejected', async () => {
  const answer = (...messages: PutCodeRequest['message'][]) => {
    const call = client.putCode();
    call.on('data', () => {});
    for (const message of messages) call.write({ message });
    return new Promise((_, reject) => call.on('error', reject));
  };
  await expect(answer({ $case: 'chunk', chunk: BYTES })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  const header = { $case: 'header', header: ARCHIVE } as const;
  await expect(answer(header, header)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
});

test('a submission must describe its code if the sweep file has the key "code", and must not describe code otherwise', async () => {
  await put([BYTES]);
  const invalid = (more: Partial<SubmitRequest>) => expect(submit(more)).rejects;
  await invalid({ source: undefined }).toMatchObject({
    details: expect.stringContaining('the submission has no code'),
  });
  await invalid({ text: SWEEP.replace('code: .\n', '') }).toMatchObject({
    details: expect.stringContaining('no key "code"'),
  });
  await invalid({ source: { ...SOURCE, diff: 'ü'.repeat(500_001) } }).toMatchObject({
    details: 'diff too long (max 1000000 bytes)',
  });
  const git = { ...GIT, untracked: ['x'.repeat(300_000)] };
  await invalid({ source: { ...SOURCE, git } }).toMatchObject({ details: expect.stringContaining('too long') });
  await invalid({ source: { ...SOURCE, git: undefined } }).toMatchObject({
    details: expect.stringContaining('missing'),
  });
  expect(served.runtime.core.sweeps.size).toBe(0);
});

test('a coordinator that restarts between the upload and the submit still has the archive', async () => {
  await put([BYTES]);
  // libsql releases the lock of a store only when the process ends. The second coordinator therefore gets a new folder,
  // which has a copy of the code archives, but not of the store.
  const next = newFolder();
  cpSync(join(dir, 'code'), join(next, 'code'), { recursive: true });
  end();
  dir = next;
  served = await serve(dir);
  client = new CodeServiceClient(served.address, INSECURE);
  sweeps = new SweepServiceClient(served.address, INSECURE);
  expect(await put([])).toEqual([{ $case: 'stored', stored: true }]);
  expect((await submit()).sweep?.id).toBe('1');
});
