/** Tests the transfer of artifacts between an agent and the coordinator's services, with real sockets and files. */

import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { attemptFolder, resumeFile } from '../../agent/folders.ts';
import { LostFileError, uploadArtifact } from '../../agent/supervisor/artifact-transfer.ts';
import { coordinatorClient } from '../../agent/supervisor/coordinator-client.ts';
import { CoordinatorSession } from '../../agent/supervisor/coordinator-session.ts';
import { openSpool } from '../../agent/supervisor/spool.ts';
import { now } from '../../coordinator/app/runtime.ts';
import { sweepControl } from '../../coordinator/app/sweep-control.ts';
import { onHello } from '../../coordinator/core/agents.ts';
import { onRecord } from '../../coordinator/core/attempt-records.ts';
import { onOpen } from '../../coordinator/core/attempts.ts';
import { ArtifactServiceClient } from '../../proto/gen/trawl/v1/artifact_service.ts';
import type { AttemptKey, Record as RecordMessage, RecordRefused } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Artifact } from '../../proto/gen/trawl/v1/types.ts';
import { PROTOCOL } from '../../proto/protocol.ts';
import { databaseOf } from '../support/coordinator/database-of.ts';
import { agentHello } from '../support/coordinator/sample-core.ts';
import { INSECURE, newFolder, noopSweep, type Served, serve } from '../support/coordinator/serve.ts';
import { testFolder } from '../support/folder.ts';
import { startProxy } from '../support/proxy.ts';

/** The content of the transferred file, which is much larger than the buffers of a connection. */
const BYTES = randomBytes(32_000_000);
const FILE: Artifact = {
  attempt: 0,
  name: 'folder/file.bin',
  kind: 'ARTIFACT_KIND_CHECKPOINT',
  epoch: 2,
  atMs: 0,
  size: BYTES.length,
  sha256: createHash('sha256').update(BYTES).digest('hex'),
};

let dir: string;
let served: Served;
let client: ArtifactServiceClient;
let key: AttemptKey;
let path: string;

/** Starts a coordinator with one attempt, which is leased to agent `a`. */
beforeEach(async () => {
  dir = newFolder();
  served = await serve(dir);
  client = new ArtifactServiceClient(served.address, INSECURE);
  onTestFinished(() => {
    client.close();
    served.stop();
  });
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
  path = join(testFolder(), 'file.bin');
  writeFileSync(path, BYTES);
});

const atCoordinator = (name: string) => join(dir, 'artifacts', key.sweepId, key.trialId, `${key.attempt}`, name);
const upload = () => uploadArtifact(client, { agentId: 'a', key, artifact: FILE, path }, new AbortController().signal);

function sessionWith(server: string, records: readonly RecordMessage[] = []) {
  const agentDir = testFolder();
  const { spool } = openSpool(agentDir);
  spool.add(records);
  const dismissed: RecordRefused[] = [];
  const hello = {
    ...agentHello('a', 'a1', 1),
    agentId: 'a',
    protocol: PROTOCOL,
    gpus: [],
    trainers: ['noop'],
    slotFacts: [{ gpus: 0, vramBytes: 0 }],
  };
  const events = {
    onWelcome: () => {},
    onDismissed: (refused: RecordRefused) => dismissed.push(refused),
    onSpoolShrunk: () => {},
    onStopped: () => {},
    onDrain: () => {},
    onPools: () => {},
    onReturnOrder: () => {},
    onRejected: () => {},
  };
  const session = new CoordinatorSession(
    coordinatorClient([server], () => undefined),
    agentDir,
    hello,
    spool,
    events,
    pino({ level: 'silent' }),
  );
  onTestFinished(() => {
    session.close();
    spool.close();
  });
  return { session, agentDir, spool, dismissed };
}

test('if a file has grown since its artifact was announced, the announced number of bytes is transferred', async () => {
  appendFileSync(path, 'more');
  expect(await upload()).toBe('stored');
  expect(readFileSync(atCoordinator(FILE.name)).equals(BYTES)).toBe(true);
});

test('a truncated, changed or deleted artifact is reported as lost, and no part of its file is stored', async () => {
  truncateSync(path, BYTES.length - 1);
  await expect(upload()).rejects.toThrow(LostFileError);
  const altered = Buffer.from(BYTES);
  altered[BYTES.length - 1] = 255 - (BYTES[BYTES.length - 1] ?? 0);
  writeFileSync(path, altered);
  // The previous upload might still be open at the coordinator, so the test repeats the upload.
  await vi.waitFor(() => expect(upload()).rejects.toThrow(LostFileError), { timeout: 20_000 });
  rmSync(path);
  await expect(upload()).rejects.toThrow(LostFileError);
  expect(existsSync(atCoordinator(FILE.name))).toBe(false);
});

test.runIf(existsSync('/dev/full'))(
  "an upload fails while the coordinator's disk is full, and a later retry succeeds",
  async () => {
    const part = atCoordinator(join('.parts', FILE.sha256));
    mkdirSync(dirname(part), { recursive: true });
    symlinkSync('/dev/full', part);
    await expect(upload()).rejects.toThrow("the coordinator's disk is full");
    rmSync(part);
    expect(await upload()).toBe('stored');
  },
);

test('a checkpoint download waits while the coordinator is down, unless its attempt is cancelled', {
  timeout: 120_000,
}, async () => {
  expect(await upload()).toBe('stored');
  const artifact = { name: FILE.name, kind: 'checkpoint', epoch: 2, size: FILE.size, sha256: FILE.sha256 } as const;
  const record = { kind: 'artifact', key, seq: 1, at: 5, artifact } as const;
  const { step } = onRecord(served.runtime.core, { agentId: 'a', record }, now());
  await served.runtime.settle(step);

  const proxy = await startProxy(served.address);
  const { session, agentDir } = sessionWith(proxy.address);
  proxy.cut();
  const checkpoint = { ...FILE, attempt: 1 };
  let wanted = true;
  const given = session.fetchCheckpoint({ ...key, attempt: 2 }, checkpoint, () => wanted);
  // The outage is longer than the timeout of a download from a running coordinator.
  await sleep(8_000);
  proxy.restore();
  expect(await given).toBe(true);
  const fetched = readFileSync(resumeFile(attemptFolder(agentDir, { ...key, attempt: 2 })));
  expect(fetched.equals(BYTES)).toBe(true);

  proxy.cut();
  const cancelled = session.fetchCheckpoint({ ...key, attempt: 3 }, checkpoint, () => wanted);
  wanted = false;
  expect(await cancelled).toBe(false);
});

test.each([
  ['whose file is gone', FILE, /file\.bin is missing/],
  ['that exceeds the size limit', { ...FILE, size: 2 ** 30 + 1 }, /too large: 1073741825 bytes \(max 1073741824\)/],
] as const)(
  'an attempt with an artifact %s is rejected with the reason, and the records of other attempts are still sent',
  async (_, artifact, why) => {
    const log = (trialKey: AttemptKey, seq: number) => ({
      key: trialKey,
      seq,
      atMs: 5,
      body: { $case: 'log' as const, log: { text: 'x' } },
    });
    const other = { ...key, trialId: 'unknown' };
    const { spool, dismissed } = sessionWith(served.address, [
      { key, seq: 1, atMs: 5, body: { $case: 'artifact', artifact: { ...artifact } } },
      log(key, 2),
      log(other, 1),
    ]);
    await expect.poll(() => dismissed.length, { timeout: 20_000 }).toBe(2);
    expect(dismissed.find((refused) => refused.key?.trialId === key.trialId)?.message).toMatch(why);
    expect(spool.isEmpty()).toBe(true);
  },
);

test('if NAME is an artifact, a later artifact NAME/b is skipped with a reason, and its attempt continues', async () => {
  expect(await upload()).toBe('stored');
  const artifact = { ...FILE, name: `${FILE.name}/b` };
  const { spool, dismissed } = sessionWith(served.address, [
    { key, seq: 1, atMs: 5, body: { $case: 'artifact', artifact } },
    { key, seq: 2, atMs: 5, body: { $case: 'log', log: { text: 'later' } } },
  ]);
  await expect.poll(() => spool.isEmpty(), { timeout: 20_000 }).toBe(true);
  expect(dismissed).toEqual([]);
  const logs = databaseOf(served.runtime).prepare('select seq, text from logs order by seq').all() as {
    text: string;
  }[];
  expect(logs.map(({ text }) => text)).toEqual([
    expect.stringMatching(/^\[trawl\] artifact .* was not stored: .* conflicts with the artifact folder\/file\.bin:/),
    'later',
  ]);
});

test('if an upload ends after its attempt, the uploaded file is removed', async () => {
  const uploading = upload();
  await expect.poll(() => existsSync(atCoordinator(join('.parts', FILE.sha256)))).toBe(true);
  const end = { outcome: 'failed', failure: { class: 'crash', message: 'x' } } as const;
  const record = { kind: 'ended', key, seq: 1, at: 5, end } as const;
  const { step } = onRecord(served.runtime.core, { agentId: 'a', record }, now());
  await served.runtime.settle(step);
  expect(await uploading).not.toBe('stored');
  await expect.poll(() => existsSync(atCoordinator(FILE.name))).toBe(false);
  expect(existsSync(atCoordinator(join('.parts', FILE.sha256)))).toBe(false);
});
