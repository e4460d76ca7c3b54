/**
 * Artifacts in a real S3-compatible server (test/support/s3-server.ts), and the failures of this server: it is down,
 * overloaded or cut off, or rejects the credentials, the bucket or a request.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { coordinatorClient } from '../../agent/supervisor/coordinator-client.ts';
import { checkArtifactStore } from '../../bin/doctor/artifact-store.ts';
import { now } from '../../coordinator/app/runtime.ts';
import { sweepControl } from '../../coordinator/app/sweep-control.ts';
import { CodeArchives } from '../../coordinator/artifacts/code-archives.ts';
import { openArtifacts } from '../../coordinator/artifacts/open-artifacts.ts';
import { S3Artifacts } from '../../coordinator/artifacts/s3-artifacts.ts';
import { PART_BYTES, S3Bucket } from '../../coordinator/artifacts/s3-bucket.ts';
import { S3CodeCopies } from '../../coordinator/artifacts/s3-code.ts';
import { parseS3Location } from '../../coordinator/artifacts/s3-location.ts';
import { SpaceLedger } from '../../coordinator/artifacts/space-ledger.ts';
import { onHello } from '../../coordinator/core/agents.ts';
import type { Artifact } from '../../coordinator/core/attempt-model.ts';
import { onOpen } from '../../coordinator/core/attempts.ts';
import { SqliteStore } from '../../coordinator/store/sqlite-store.ts';
import { DirectPath, DirectTransferError, readDirectly, sendDirectly } from '../../lib/net/direct-transfer.ts';
import { NoSpaceError, RejectedError } from '../../proto/errors.ts';
import type { AttemptKey } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { testArtifactStore } from '../support/coordinator/artifact-contract.ts';
import { agentHello } from '../support/coordinator/sample-core.ts';
import { newFolder, noopSweep, serve } from '../support/coordinator/serve.ts';
import { isSkipped } from '../support/requirements.ts';
import { S3_CREDENTIALS, type S3Server, s3ServerMissing, startS3Server } from '../support/s3-server.ts';

const MIB = 2 ** 20;
const ATTEMPT = { sweepId: '1', trialId: 't', attempt: 1 };

function artifactOf(bytes: Uint8Array, name = 'file'): Artifact {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { name, kind: 'file', epoch: 0, size: bytes.byteLength, sha256 };
}

type Fault = 'cut' | { readonly status: number; readonly code: string } | undefined;

/**
 * Starts a proxy in front of the server. If `faultOf` returns a fault for a request, the proxy answers with an error or
 * cuts the connection.
 */
async function startFaults(target: string, faultOf: (incoming: IncomingMessage) => Fault): Promise<string> {
  const proxy = createServer((incoming, response) => {
    const fault = faultOf(incoming);
    if (fault === 'cut') return void incoming.once('data', () => incoming.destroy());
    if (fault !== undefined) {
      incoming.resume();
      response.writeHead(fault.status, { 'content-type': 'application/xml' });
      return void response.end(`<Error><Code>${fault.code}</Code><Message>x</Message></Error>`);
    }
    const onward = request(new URL(incoming.url ?? '/', target), {
      method: incoming.method ?? '',
      headers: incoming.headers,
    });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

const folder = mkdtempSync(join(tmpdir(), 'trawl-s3-'));
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

describe.skipIf(isSkipped(s3ServerMissing()))('artifacts in an S3-compatible server', () => {
  let server: S3Server;
  let next = 0;
  beforeAll(async () => {
    Object.assign(process.env, S3_CREDENTIALS);
    server = await startS3Server(join(folder, 's3'));
    return () => server.stop();
  });

  async function openTested(endpoint = server.url) {
    const dir = mkdtempSync(join(folder, 'coordinator-'));
    const cluster = `c${next++}`;
    const location = parseS3Location(`s3://trawl/sweeps?endpoint=${endpoint}&direct=true`);
    const requests: string[] = [];
    const bucket = await S3Bucket.open(location, { onRequest: (operation) => requests.push(operation) });
    const opened = () => new S3Artifacts(bucket, dir, cluster);
    return { dir, cluster, bucket, requests, store: opened(), restarted: opened };
  }

  async function store(opened: S3Artifacts, bytes: Buffer): Promise<boolean> {
    const incoming = await opened.begin(ATTEMPT, artifactOf(bytes));
    try {
      if (!incoming.whole) await incoming.append(bytes.subarray(incoming.offset));
      return await incoming.finish();
    } finally {
      await incoming.close();
    }
  }

  testArtifactStore(openTested);

  test('a large file is stored in parts, and a later upload sends only the missing parts', async () => {
    const { dir, bucket, requests } = await openTested();
    const bytes = randomBytes(2 * PART_BYTES + 5);
    const path = join(dir, 'large');
    writeFileSync(path, bytes);
    const { uploadId, missing } = await bucket.beginParts('large', bytes.byteLength);
    expect(missing.map(({ size }) => size)).toEqual([PART_BYTES, PART_BYTES, 5]);
    for (const piece of missing.slice(1)) {
      const signed = await bucket.presignPart('large', uploadId, piece, 60);
      await sendDirectly(path, { ...piece, ...signed });
    }
    await bucket.putFile('large', path, artifactOf(bytes));
    expect(requests.filter((operation) => operation === 'upload_part')).toHaveLength(1);
    const chunks: Buffer[] = [];
    for await (const chunk of bucket.read('large', 0, bytes.byteLength)) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    expect(await bucket.uploads('large')).toEqual([]);
  });

  test('a presigned upload stores exactly the announced bytes, and fails once its URL has expired', async () => {
    const { dir, bucket } = await openTested();
    const bytes = Buffer.from('exactly these bytes');
    const path = join(dir, 'file');
    const send = async (content: string, expiresS = 60) => {
      writeFileSync(path, content);
      const signed = await bucket.presignPut('signed', artifactOf(bytes), expiresS);
      if (expiresS === 1) await sleep(2_100);
      await sendDirectly(path, { start: 0, size: bytes.byteLength, ...signed });
    };
    await expect(send('other bytes, same n')).rejects.toThrow(/BadDigest/);
    await expect(send('fewer bytes')).rejects.toThrow('is shorter than announced');
    await expect(send(`${bytes}`, 1)).rejects.toThrow(/AccessDenied|ExpiredToken|403/);
    expect(await bucket.head('signed')).toBeUndefined();
    await send(`${bytes} and more`);
    expect(await bucket.head('signed')).toEqual({ size: bytes.byteLength, sha256: artifactOf(bytes).sha256 });
    const { url } = await bucket.presignGet('signed', 60);
    const chunks: Buffer[] = [];
    for await (const chunk of readDirectly(url, 8)) chunks.push(chunk);
    expect(Buffer.concat(chunks)).toEqual(bytes.subarray(8));
    await expect(readDirectly(url.replace('signed', 'other'), 0).next()).rejects.toThrow(DirectTransferError);
  });

  test('incomplete uploads, and objects that no record names, are removed only when they are old enough', async () => {
    const { cluster, bucket, store: opened, restarted } = await openTested();
    const root = `sweeps/${cluster}/artifacts/`;
    await bucket.beginParts(`${root}1/t/1/a/${'0'.repeat(64)}`, 2 * PART_BYTES);
    expect(await store(opened, Buffer.from('x'))).toBe(true);
    expect(await opened.abortIncomplete(Date.now() - 60_000)).toBe(0);
    expect(await opened.removeOrphans(async () => false, Date.now() + 1, false, Date.now())).toEqual([]);
    const later = Date.now() + 2 * 3_600_000;
    expect(await opened.removeOrphans(async () => true, later, false, later)).toEqual([]);
    expect(await bucket.uploads(root)).toEqual([]);
    const found = [{ name: `s3://trawl/${root}`, files: 1, bytes: 1 }];
    expect(await opened.removeOrphans(async () => false, later, true, later)).toEqual(found);
    expect(await opened.removeOrphans(async () => false, later, false, later)).toEqual(found);
    expect(await restarted().holds(ATTEMPT, artifactOf(Buffer.from('x')))).toBe(false);
  });

  test('a truncated object does not count as stored, and reading it fails', async () => {
    const { cluster, store: opened, restarted } = await openTested();
    const bytes = Buffer.from('a whole object');
    const artifact = artifactOf(bytes);
    expect(await store(opened, bytes)).toBe(true);
    truncateSync(join(server.folder, 'trawl/sweeps', cluster, 'artifacts/1/t/1/file', artifact.sha256), 5);
    expect(await restarted().holds(ATTEMPT, artifact)).toBe(false);
    await expect(async () => {
      for await (const _ of opened.read(ATTEMPT, artifact, 0));
    }).rejects.toThrow('is truncated: it has 5 instead of 14 bytes');
  });

  test('an upload survives an overloaded server, a cut connection, a full server and a server that is down', async () => {
    const faults: Fault[] = [];
    const endpoint = await startFaults(server.url, () => faults.shift());
    const { dir, store: opened } = await openTested(endpoint);
    const bytes = randomBytes(MIB);
    faults.push(undefined, { status: 503, code: 'SlowDown' }, 'cut', { status: 500, code: 'InternalError' });
    expect(await store(opened, bytes)).toBe(true);
    expect(faults).toEqual([]);
    const other = randomBytes(MIB);
    faults.push(...Array<Fault>(4).fill({ status: 503, code: 'SlowDown' }));
    await expect(store(opened, other)).rejects.toThrow('the server is overloaded (503); retrying');
    await server.stop();
    try {
      await expect(store(opened, other)).rejects.toThrow(`could not store sweeps/`);
    } finally {
      await server.start();
    }
    faults.push({ status: 507, code: 'QuotaExceeded' });
    await expect(store(opened, other)).rejects.toThrow(NoSpaceError);
    // The received bytes were kept, so the agent sends none of them again.
    expect(await store(opened, other)).toBe(true);
    expect(readdirSync(join(dir, 'artifacts/1/t/1/.parts'))).toEqual([]);
  });

  async function storeCode(archives: CodeArchives, bytes: Buffer): Promise<boolean> {
    const incoming = await archives.begin(artifactOf(bytes));
    try {
      await incoming.append(bytes.subarray(incoming.offset));
      return await incoming.finish();
    } finally {
      await incoming.close();
    }
  }

  async function codeOf(archives: CodeArchives, sha256: string, offset = 0): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for await (const chunk of archives.read(sha256, offset)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  test('a stored code archive is still available if the folder of the archives is lost', async () => {
    const { dir, cluster, bucket } = await openTested();
    const copies = new S3CodeCopies(bucket, cluster);
    const bytes = randomBytes(PART_BYTES + 5);
    const archive = artifactOf(bytes);
    expect(await storeCode(new CodeArchives(dir, copies), bytes)).toBe(true);
    const empty = async () => {
      const archives = new CodeArchives(mkdtempSync(join(folder, 'lost-')), copies);
      expect([archives.has(archive.sha256), await archives.holds(archive)]).toEqual([false, false]);
      return archives;
    };
    expect((await codeOf(await empty(), archive.sha256, 7)).equals(bytes.subarray(7))).toBe(true);
    expect(await (await empty()).available(archive.sha256)).toBe(true);
    expect(await (await empty()).available('0'.repeat(64))).toBe(false);
    const again = await empty();
    expect([await again.secure(archive), await again.holds(archive)]).toEqual([true, true]);
  });

  test('a code archive counts as stored only if the server has a copy, and missing copies of archives are made later', async () => {
    const faults: Fault[] = [];
    const endpoint = await startFaults(server.url, ({ method }) => (method === 'PUT' ? faults.shift() : undefined));
    const { dir, cluster, bucket } = await openTested(endpoint);
    const copies = new S3CodeCopies(bucket, cluster);
    const bytes = randomBytes(MIB);
    const archive = artifactOf(bytes);
    const archives = new CodeArchives(dir, copies);
    faults.push(...Array<Fault>(4).fill({ status: 503, code: 'SlowDown' }));
    await expect(storeCode(archives, bytes)).rejects.toThrow('the server is overloaded (503)');
    expect([archives.has(archive.sha256), await archives.holds(archive)]).toEqual([false, false]);
    // This simulates an archive that the coordinator received before it used the server.
    expect(await storeCode(new CodeArchives(dir), bytes)).toBe(true);
    expect(await archives.holds(archive)).toBe(false);
    expect(await archives.copyMissing()).toBe(1);
    expect(await archives.copyMissing()).toBe(0);
    expect([await archives.holds(archive), await copies.size(archive.sha256)]).toEqual([true, MIB]);
  });

  test('an unused code archive and its copy are removed together, and a copy is removed even if its archive was lost', async () => {
    const { dir, cluster, bucket } = await openTested();
    const copies = new S3CodeCopies(bucket, cluster);
    const archives = new CodeArchives(dir, copies);
    const [used, unused, lost] = [randomBytes(10), randomBytes(11), randomBytes(12)];
    for (const bytes of [used, unused]) expect(await storeCode(archives, bytes)).toBe(true);
    expect(await storeCode(new CodeArchives(mkdtempSync(join(folder, 'lost-')), copies), lost)).toBe(true);
    const isUsed = async (sha256: string) => sha256 === artifactOf(used).sha256;
    const later = Date.now() + 60_000;
    expect(await archives.removeUnused(isUsed, Date.now() - 60_000, false)).toEqual({ archives: 0, bytes: 0 });
    const release = archives.keepAll();
    expect(await archives.removeUnused(isUsed, later, false)).toEqual({ archives: 0, bytes: 0 });
    release();
    expect(await archives.removeUnused(isUsed, later, true)).toEqual({ archives: 2, bytes: 23 });
    expect(await archives.removeUnused(isUsed, later, false)).toEqual({ archives: 2, bytes: 23 });
    const kept: string[] = [];
    for await (const { sha256 } of copies.list()) kept.push(sha256);
    expect(kept).toEqual([artifactOf(used).sha256]);
    expect([archives.has(artifactOf(used).sha256), archives.has(artifactOf(unused).sha256)]).toEqual([true, false]);
  });

  const start = async (location: string, problems: (string | undefined)[] = []) => {
    const dir = newFolder();
    const store = SqliteStore.open(dir);
    const observer = { onRequest: () => {}, onProblem: (problem: string | undefined) => problems.push(problem) };
    const options = { store, dir, cluster: 'c', location, log: pino({ level: 'silent' }) };
    return openArtifacts(options, observer).finally(() => {
      void store.close();
      rmSync(dir, { recursive: true, force: true });
    });
  };

  test('a coordinator starts without waiting for an S3 server that it used before and that no longer answers', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const dir = newFolder();
    const store = SqliteStore.open(dir);
    const location = `s3://trawl?endpoint=http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    await store.setArtifactLocation(location);
    const observer = { onRequest: () => {}, onProblem: () => {} };
    const begun = performance.now();
    const options = { store, dir, cluster: 'c', location, log: pino({ level: 'silent' }) };
    const opened = await openArtifacts(options, observer);
    expect(performance.now() - begun).toBeLessThan(20_000);
    opened.close();
    silent.closeAllConnections();
    silent.close();
    await store.close();
    rmSync(dir, { recursive: true, force: true });
  });

  test('a coordinator does not start if the location of its artifacts has a problem that only a person can correct', async () => {
    await expect(start(`s3://missing?endpoint=${server.url}`)).rejects.toThrow(RejectedError);
    await expect(start(`s3://missing?endpoint=${server.url}`)).rejects.toThrow('the bucket does not exist: create it');
    onTestFinished(() => void Object.assign(process.env, S3_CREDENTIALS));
    process.env.AWS_SECRET_ACCESS_KEY = 'wrong';
    await expect(start(`s3://trawl?endpoint=${server.url}`)).rejects.toThrow('check AWS_SECRET_ACCESS_KEY');
    process.env.AWS_ACCESS_KEY_ID = 'nobody';
    await expect(start(`s3://trawl?endpoint=${server.url}`)).rejects.toThrow('check the credentials');
    Object.assign(process.env, S3_CREDENTIALS);
    const readOnly = await startFaults(server.url, ({ method }) =>
      method === 'PUT' ? { status: 403, code: 'AccessDenied' } : undefined,
    );
    await expect(start(`s3://trawl?endpoint=${readOnly}`)).rejects.toThrow(
      'must permit reading, writing, listing and deleting',
    );
    const skewed = await startFaults(server.url, () => ({ status: 403, code: 'RequestTimeTooSkewed' }));
    await expect(start(`s3://trawl?endpoint=${skewed}`)).rejects.toThrow('synchronize both with NTP');
  });

  test('doctor writes an object to check a location, deletes the object, and explains each failure', async () => {
    const findings = (location: string) => checkArtifactStore(parseS3Location(location));
    const names = () => readdirSync(server.folder, { recursive: true, encoding: 'utf8' });
    const doctorObjects = () => names().filter((name) => name.includes('.trawl-doctor-'));
    const location = `s3://trawl/doctor?endpoint=${server.url}&direct=true`;
    const detail = `s3://trawl/doctor/ at ${server.url}: an object was written, read and deleted`;
    expect(await findings(location)).toEqual([{ name: 'artifact store', state: 'ok', detail, needed: true }]);
    expect(doctorObjects()).toEqual([]);
    const missing = async (location: string, reason: string) =>
      expect(await findings(location)).toEqual([
        expect.objectContaining({ state: 'missing', needed: true, detail: expect.stringContaining(reason) }),
      ]);
    await missing(`s3://missing?endpoint=${server.url}`, 'the bucket does not exist: create it');
    await missing('s3://trawl?endpoint=http://127.0.0.1:1', 'the server could not be reached (ECONNREFUSED)');
    const unreadable = await startFaults(server.url, ({ method }) =>
      method === 'GET' ? { status: 403, code: 'AccessDenied' } : undefined,
    );
    await missing(`s3://trawl?endpoint=${unreadable}`, 'must permit reading, writing, listing and deleting');
    expect(doctorObjects()).toEqual([]);
    const unsigned = await startFaults(server.url, ({ headers }) =>
      headers.authorization === undefined ? { status: 403, code: 'AccessDenied' } : undefined,
    );
    expect(await findings(`s3://trawl?endpoint=${unsigned}&direct=true`)).toMatchObject([
      { state: 'ok' },
      { state: 'warning', detail: 'the server answers a presigned request with status 403' },
    ]);
    onTestFinished(() => void Object.assign(process.env, S3_CREDENTIALS));
    process.env.AWS_SECRET_ACCESS_KEY = 'wrong';
    await missing(location, 'check AWS_SECRET_ACCESS_KEY');
  });

  test('a coordinator starts while the server is down, and uses the server as soon as the server answers', async () => {
    const problems: (string | undefined)[] = [];
    await server.stop();
    const opened = await start(`s3://trawl?endpoint=${server.url}&direct=true`, problems).finally(() => server.start());
    onTestFinished(() => opened.close());
    expect(problems.at(-1)).toContain('the server could not be reached (ECONNREFUSED)');
    expect(opened.files.direct).toBeUndefined();
    await expect.poll(() => opened.files.direct, { timeout: 15_000 }).toBeDefined();
    expect(problems.at(-1)).toBeUndefined();
  });

  /**
   * Starts a coordinator that keeps artifacts in the S3 server, and leases one attempt to agent `a`. The returned
   * function `upload` sends a file of the attempt, as the agent would.
   */
  async function serveAttempt(endpoint: string, quota?: SpaceLedger) {
    const { bucket, requests } = await openTested(endpoint);
    const dir = newFolder();
    const files = new S3Artifacts(bucket, dir, `d${next++}`);
    expect(await files.check()).toEqual({ verifiesChecksums: true });
    const served = await serve(dir, { files: () => files, ...(quota === undefined ? {} : { quota }) });
    const client = coordinatorClient([served.address], () => undefined);
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
    const [key] = served.offers as [AttemptKey];
    await served.runtime.settle(
      onOpen(served.runtime.core, { key, agentId: 'a', incarnation: 'a1', slot: 0 }, now()).step,
    );
    const upload = async (bytes: Buffer, name: string) => {
      const path = join(dir, `sent-${name}`);
      writeFileSync(path, bytes);
      const artifact = { ...artifactOf(bytes, name), attempt: 0, kind: 'ARTIFACT_KIND_FILE' as const, atMs: 0 };
      return client.upload({ agentId: 'a', key, artifact, path }, new AbortController().signal);
    };
    return { dir, key, files, requests, upload };
  }

  test('an agent sends large files directly to the server, and the coordinator verifies the files', async () => {
    const { dir, key, files, requests, upload } = await serveAttempt(server.url);
    const small = randomBytes(MIB);
    const large = randomBytes(65 * MIB);
    requests.length = 0;
    expect(await upload(small, 'small')).toBe('stored');
    expect(requests).not.toContain('put');
    expect(await upload(large, 'large')).toBe('stored');
    expect(requests.filter((operation) => operation === 'upload_part')).toEqual([]);
    expect(requests).toContain('complete_upload');
    expect(readdirSync(dir)).not.toContain('artifacts');
    for (const [bytes, name] of [
      [small, 'small'],
      [large, 'large'],
    ] as const) {
      expect(files.has(key, name)).toBe(true);
      const url = await files.direct?.urlOf(key, artifactOf(bytes, name));
      const hash = createHash('sha256');
      for await (const chunk of new DirectPath().read(url ?? '')) hash.update(chunk);
      expect(hash.digest('hex')).toBe(artifactOf(bytes, name).sha256);
    }
  });

  test('an agent whose presigned request is rejected sends its files through the coordinator', async () => {
    // The proxy rejects only presigned requests, which have no header with credentials.
    const endpoint = await startFaults(server.url, ({ headers }) =>
      headers.authorization === undefined ? { status: 403, code: 'AccessDenied' } : undefined,
    );
    const { key, files, requests, upload } = await serveAttempt(endpoint);
    const bytes = randomBytes(2 * MIB);
    await expect(upload(bytes, 'file')).rejects.toThrow(
      'the artifact store rejected a presigned request (AccessDenied)',
    );
    await expect.poll(() => upload(bytes, 'file').catch(() => 'the first upload is still open')).toBe('stored');
    expect(requests.filter((operation) => operation === 'presign')).toHaveLength(1);
    expect(files.has(key, 'file')).toBe(true);
  });

  test('the quota also limits direct uploads, which are rejected before any byte is sent', async () => {
    const quota = new SpaceLedger(async () => MIB, { of: 'the quota of the artifact store', keepBytes: 0 });
    const { requests, upload } = await serveAttempt(server.url, quota);
    await expect(upload(randomBytes(2 * MIB), 'file')).rejects.toThrow(
      'the quota of the artifact store has 1 MiB free',
    );
    expect(requests).not.toContain('presign');
    expect(await upload(randomBytes(MIB), 'fits')).toBe('stored');
    expect(quota.reservedBytes).toBe(0);
  });
});
