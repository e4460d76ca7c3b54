import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import {
  ArtifactServiceClient,
  ArtifactServiceService,
  type ListResponse,
  PutRequest,
  type PutResponse,
  type ReadRequest,
} from '../../proto/gen/trawl/v1/artifact_service.ts';
import type { AttemptKey } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Artifact } from '../../proto/gen/trawl/v1/types.ts';
import { databaseOf } from '../../test/support/coordinator/database-of.ts';
import { agentHello } from '../../test/support/coordinator/sample-core.ts';
import {
  INSECURE,
  newFolder,
  noopSweep,
  type Served,
  type ServeOptions,
  serve,
} from '../../test/support/coordinator/serve.ts';
import { now } from '../app/runtime.ts';
import { sweepControl } from '../app/sweep-control.ts';
import { onHello } from '../core/agents.ts';
import type { Artifact as KeptArtifact } from '../core/attempt-model.ts';
import { onRecord } from '../core/attempt-records.ts';
import { onOpen } from '../core/attempts.ts';
import { isTooSlow } from './uploads.ts';

let dir: string;
let served: Served;
let client: ArtifactServiceClient;
let key: AttemptKey;

/** Starts a coordinator with one attempt, which is leased to agent `a`. */
beforeEach(() => begin());

async function begin(options: ServeOptions = {}): Promise<void> {
  dir = newFolder();
  served = await serve(dir, options);
  client = new ArtifactServiceClient(served.address, INSECURE);
  onHello(served.runtime.core, agentHello('a', 'a1', 1), now());
  await sweepControl(served.runtime).submit({
    fileName: 's.yaml',
    text: noopSweep(1),
    requestId: 'r',
    source: undefined,
  });
  await expect.poll(() => served.offers.length).toBe(1);
  [key] = served.offers as [AttemptKey];
  const { step } = onOpen(served.runtime.core, { key, agentId: 'a', incarnation: 'a1', slot: 0 }, now());
  await served.runtime.settle(step);
}

afterEach(end);

function end(): void {
  client.close();
  served.stop();
}

const BYTES = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251));
const SHA256 = createHash('sha256').update(BYTES).digest('hex');
const FILE: Artifact = {
  attempt: 0,
  name: 'folder/file.bin',
  kind: 'ARTIFACT_KIND_FILE',
  epoch: 0,
  size: BYTES.byteLength,
  sha256: SHA256,
  atMs: 0,
};

function put(
  chunks: readonly Uint8Array[],
  { agentId = 'a', artifact = FILE }: { agentId?: string; artifact?: Artifact } = {},
) {
  const call = client.put();
  const answers: PutResponse['message'][] = [];
  const write = (message: PutRequest['message']) => call.write({ message });
  return new Promise<PutResponse['message'][]>((resolve, reject) => {
    call.on('data', ({ message }: PutResponse) => {
      answers.push(message);
      if (message?.$case !== 'offset') return;
      for (const chunk of chunks) write({ $case: 'chunk', chunk: Buffer.from(chunk) });
      call.end();
    });
    call.on('error', reject);
    call.on('end', () => resolve(answers));
    write({ $case: 'header', header: { key, agentId, artifact, direct: false } });
  });
}

const fileOf = (name: string) => join(dir, 'artifacts', key.sweepId, key.trialId, `${key.attempt}`, name);

/** Handles a record of agent `a` that names the uploaded artifact. */
async function name(seq: number, artifact: KeptArtifact): Promise<void> {
  const record = { kind: 'artifact', key, seq, at: 5, artifact } as const;
  const { step } = onRecord(served.runtime.core, { agentId: 'a', record }, now());
  await served.runtime.settle(step);
}

async function read(more: Partial<ReadRequest> = {}): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const { trialId: trial } = key;
  for await (const { message } of client.read({
    sweep: '',
    trial,
    attempt: 0,
    name: FILE.name,
    offset: 0,
    direct: false,
    ...more,
  })) {
    if (message?.$case === 'chunk') chunks.push(message.chunk);
  }
  return Buffer.concat(chunks);
}

test('while the checkpoint of the parent trial is being copied, a read fails with the status UNAVAILABLE, so the client can retry', async () => {
  await put([BYTES]);
  await name(1, { name: FILE.name, kind: 'file', epoch: 0, size: FILE.size, sha256: SHA256 });
  expect(await read()).toEqual(BYTES);
  end();
  await begin({ inherited: { isPending: () => true } });
  await put([BYTES]);
  await name(1, { name: FILE.name, kind: 'file', epoch: 0, size: FILE.size, sha256: SHA256 });
  await expect(read()).rejects.toMatchObject({ code: status.UNAVAILABLE });
});

test('an interrupted upload resumes, and the file can be read after a record has named it', async () => {
  await expect(put([BYTES.subarray(0, 400)])).rejects.toMatchObject({
    details: expect.stringContaining('ended early'),
  });
  expect(await put([BYTES.subarray(400)])).toEqual([
    { $case: 'offset', offset: 400 },
    { $case: 'stored', stored: true },
  ]);
  await expect(read()).rejects.toMatchObject({ code: status.NOT_FOUND });
  await name(1, { name: FILE.name, kind: 'file', epoch: 0, size: FILE.size, sha256: SHA256 });
  expect(await read()).toEqual(BYTES);
  expect(await read({ offset: 990 })).toEqual(BYTES.subarray(990));
});

test('a file that is already stored is not uploaded again', async () => {
  await put([BYTES]);
  expect(await put([])).toEqual([{ $case: 'stored', stored: true }]);
});

test('an upload with the wrong checksum is discarded, and can be repeated', async () => {
  await expect(put([Buffer.alloc(1000)])).rejects.toMatchObject({ code: status.DATA_LOSS });
  expect(existsSync(fileOf(FILE.name))).toBe(false);
  expect(await put([BYTES])).toContainEqual({ $case: 'stored', stored: true });
});

test('an upload with too many bytes, with an invalid name or by an agent without the lease is rejected', async () => {
  await expect(put([Buffer.concat([BYTES, BYTES])])).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
  for (const bad of ['../up', '/root', 'a/../../b', '.hidden', 'a//b', '']) {
    await expect(put([BYTES], { artifact: { ...FILE, name: bad } })).rejects.toMatchObject({
      details: expect.stringContaining('invalid artifact name'),
    });
  }
  expect(await put([BYTES], { agentId: 'b' })).toMatchObject([{ $case: 'refusal' }]);
});

test('a stalled upload times out, and resumes after the bytes already received', async () => {
  end();
  await begin({ stallMs: 3_000 });
  const silent = once(client.put(), 'error');
  const call = client.put();
  const rejected = once(call, 'error');
  call.write({ message: { $case: 'header', header: { key, agentId: 'a', artifact: FILE, direct: false } } });
  await once(call, 'data');
  call.write({ message: { $case: 'chunk', chunk: BYTES.subarray(0, 400) } });
  expect((await rejected)[0]).toMatchObject({ code: status.DEADLINE_EXCEEDED });
  expect((await silent)[0]).toMatchObject({ code: status.DEADLINE_EXCEEDED });
  expect(await put([BYTES.subarray(400)])).toEqual([
    { $case: 'offset', offset: 400 },
    { $case: 'stored', stored: true },
  ]);
});

test('an upload that is one byte over the limit is rejected, and the next upload is accepted', async () => {
  await expect(put([], { artifact: { ...FILE, size: 2 ** 30 + 1 } })).rejects.toMatchObject({
    code: status.INVALID_ARGUMENT,
    details: 'artifact folder/file.bin too large: 1073741825 bytes (max 1073741824)',
  });
  expect(existsSync(join(dir, 'artifacts'))).toBe(false);
  expect(await put([BYTES])).toContainEqual({ $case: 'stored', stored: true });
});

test('a new checkpoint with the name of the previous checkpoint is kept', async () => {
  const checkpoint: KeptArtifact = { name: 'c', kind: 'checkpoint', epoch: 1, size: FILE.size, sha256: SHA256 };
  const dropped: string[] = [];
  served.runtime.onCommit((commit) => dropped.push(...commit.dropped.map((file) => file.name)));
  await name(1, checkpoint);
  await name(2, { ...checkpoint, epoch: 2 });
  expect(dropped).toEqual([]);
  await name(3, { ...checkpoint, name: 'd', epoch: 3 });
  expect(dropped).toEqual(['c']);
});

test('only the newest checkpoint of a trial is kept, and is recorded as the checkpoint of the trial', async () => {
  const checkpoint = (epoch: number): KeptArtifact => ({
    name: `checkpoints/epoch-${epoch}`,
    kind: 'checkpoint',
    epoch,
    size: FILE.size,
    sha256: SHA256,
  });
  const dropped: string[] = [];
  served.runtime.onCommit((commit) => dropped.push(...commit.dropped.map((file) => file.name)));
  await name(1, checkpoint(1));
  await name(2, checkpoint(2));
  expect(dropped).toEqual(['checkpoints/epoch-1']);
  expect(served.runtime.core.sweeps.get('1')?.trials.get(key.trialId)?.checkpoint).toMatchObject({
    epoch: 2,
    attempt: 1,
  });
  expect(await served.runtime.queries.artifacts.page('1', key.trialId, { limit: 9 })).toEqual([]);
});

test('after an unreadable message, an upload is rejected and can be repeated, and the log of the coordinator has no error', async () => {
  end();
  const lines: string[] = [];
  await begin({ logTo: (line) => lines.push(line) });
  const asIs = (bytes: Buffer) => bytes;
  const call = client.makeBidiStreamRequest(ArtifactServiceService.put.path, asIs, asIs);
  const rejected = once(call, 'error');
  const header = { key, agentId: 'a', artifact: FILE, direct: false };
  call.write(Buffer.from(PutRequest.encode({ message: { $case: 'header', header } }).finish()));
  await once(call, 'data');
  call.write(Buffer.of(0x0a, 0x7f));
  expect((await rejected)[0]).toMatchObject({ code: status.INVALID_ARGUMENT });
  const again = () => put([BYTES]).catch(() => 'the first upload is still open');
  await expect.poll(again).toContainEqual({ $case: 'stored', stored: true });
  expect(lines.filter((line) => JSON.parse(line).level >= 50)).toEqual([]);
});

test.each([
  [1_000_000, 0, false],
  [0, 60_000, false],
  [61_442, 60_001, false],
  [3, 60_001, true],
  [1_048_576, 1_024_000, false],
  [1_000_000, 1_024_000, true],
])('whether an upload of %d bytes in %d ms is too slow: %s', (bytes, waitedMs, slow) => {
  expect(isTooSlow(bytes, waitedMs, 60_000)).toBe(slow);
});

test('an upload that sends single bytes at long intervals times out', async () => {
  end();
  await begin({ stallMs: 400 });
  const call = client.put();
  const failed = once(call, 'error');
  call.write({ message: { $case: 'header', header: { key, agentId: 'a', artifact: FILE, direct: false } } });
  await once(call, 'data');
  const sending = setInterval(() => call.write({ message: { $case: 'chunk', chunk: Buffer.alloc(1) } }), 50);
  onTestFinished(() => clearInterval(sending));
  expect((await failed)[0]).toMatchObject({
    code: status.DEADLINE_EXCEEDED,
    details: expect.stringContaining('slower'),
  });
});

test('a long list of artifacts is sent in order, in several messages of limited size, and without checkpoints', async () => {
  const insert = databaseOf(served.runtime).prepare(
    `insert into artifacts (sweep_id, trial_id, attempt, name, kind, epoch, size, sha256, seq, at)
     values (1, ?, ?, ?, ?, 0, 1, '', 1, 1)`,
  );
  const expected: string[] = [];
  databaseOf(served.runtime).transaction(() => {
    for (const trial of ['t1', 't2']) {
      for (const attempt of [1, 2]) {
        for (let at = 1_000; at < 1_700; at++) {
          const isCheckpoint = at % 7 === 0;
          insert.run(trial, attempt, `f${at}`, isCheckpoint ? 'checkpoint' : 'file');
          if (!isCheckpoint) expected.push(`${trial} ${attempt} f${at}`);
        }
      }
    }
  })();
  const list = async (trial: string) => {
    const pages: string[][] = [];
    for await (const message of client.list({ sweep: '1', trial })) {
      const { trials } = message as ListResponse;
      pages.push(
        trials.flatMap(({ trialId, artifacts }) =>
          artifacts.map(({ attempt, name: file }) => `${trialId} ${attempt} ${file}`),
        ),
      );
    }
    return pages;
  };
  const pages = await list('');
  expect(pages.map(({ length }) => length)).toEqual([1_000, 1_000, expected.length - 2_000]);
  expect(pages.flat()).toEqual(expected);
});
