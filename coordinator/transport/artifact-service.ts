/**
 * Implements the ArtifactService. Serves the artifacts: agents upload artifacts, and clients list and download them.
 */
import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';
import { groups } from 'd3-array';
import type { Logger } from 'pino';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { BadInputError, DamagedError, NotFoundError, RejectedError, UnreachableError } from '../../proto/errors.ts';
import type {
  ArtifactServiceServer,
  ListRequest,
  ListResponse,
  PutHeader,
  PutRequest,
  PutResponse,
  ReadRequest,
  ReadResponse,
} from '../../proto/gen/trawl/v1/artifact_service.ts';
import { MAX_ARTIFACTS } from '../../proto/limits.ts';
import type { ArtifactStore, DirectTransfers } from '../artifacts/artifact-store.ts';
import type { InheritedCheckpoints } from '../artifacts/inherited-checkpoints.ts';
import type { SpaceLedger } from '../artifacts/space-ledger.ts';
import type { Guard } from '../auth/guard.ts';
import type { Artifact } from '../core/attempt-model.ts';
import { isLeasedToAnother, rejectionOf } from '../core/attempt-records.ts';
import { leasesOf } from '../core/leases.ts';
import type { Core } from '../core/model.ts';
import type { Queries } from '../store/queries.ts';
import { streamHandler } from './handlers.ts';
import { ARTIFACTS_PER_MESSAGE } from './pages.ts';
import { attemptKeyOf, receivedArtifact } from './records.ts';
import { type NextMessage, receiveChunks, uploadHandler } from './uploads.ts';

type PutCall = ServerDuplexStream<PutRequest, PutResponse>;
type ReadCall = ServerWritableStream<ReadRequest, ReadResponse>;

export interface ArtifactServiceOptions {
  readonly queries: Queries;
  readonly files: ArtifactStore;
  /**
   * The parents' checkpoints that are still being added to child trials. Undefined if no coordinator runs on the store.
   */
  readonly inherited?: Pick<InheritedCheckpoints, 'isPending'> | undefined;
  /**
   * The core. Only its running attempts can upload files. Undefined if no coordinator runs on the store; uploads are
   * then rejected.
   */
  readonly core: Core | undefined;
  readonly guard: Guard;
  readonly space: SpaceLedger;
  /** Tracks the quota of a remote artifact store. Undefined if the store has no quota. */
  readonly quota: SpaceLedger | undefined;
  /**
   * Called when an upload ends after its attempt has ended. The attempt can then send no record that refers to the
   * uploaded file.
   */
  readonly onEndedUpload: (key: AttemptKey) => void;
  readonly log: Logger;
  /** The time limit for the next chunk of an upload, in milliseconds. */
  readonly stallMs?: number | undefined;
}

export function artifactService(options: ArtifactServiceOptions): ArtifactServiceServer {
  const { queries, log } = options;
  return {
    put: uploadHandler<PutRequest, PutResponse>(log, (call, next) => receiveFile(call, next, options), options.stallMs),
    list: streamHandler(log, (request) => list(queries, request)),
    read: streamHandler(log, (request, _signal, call) => read(options, request, call)),
  };
}

async function receiveFile(
  call: PutCall,
  next: NextMessage<PutRequest>,
  options: ArtifactServiceOptions,
): Promise<void> {
  const { queries, files, core, guard } = options;
  const first = await next();
  if (first?.message?.$case !== 'header') throw new BadInputError('the first message of a Put must be a header');
  const { header } = first.message;
  const { key, agentId, artifact } = checked(header);
  guard.agentOf(call, agentId);
  if (core === undefined) throw new RejectedError('no coordinator runs on this folder, so uploads are rejected');
  const refusal = rejectionOf(core, agentId, key);
  if (refusal !== undefined) {
    if (isLeasedToAnother(core, agentId, key)) guard.reject('other_attempt', call, refusal.message);
    return send(call, { $case: 'refusal', refusal });
  }
  if (await files.holds(key, artifact)) return send(call, { $case: 'stored', stored: true });
  if ((await queries.artifacts.count(key)) >= MAX_ARTIFACTS) {
    throw new BadInputError(`too many artifacts (max ${MAX_ARTIFACTS} per attempt)`);
  }
  const name = `artifact ${artifact.name}`;
  const inQuota = await options.quota?.reserve(name, artifact.size);
  try {
    const upload = { key, artifact, next, options };
    if (header.direct && files.direct?.accepts(artifact) === true) await receiveDirectly(call, upload, files.direct);
    else await receiveBytes(call, upload);
    const ended = rejectionOf(core, agentId, key);
    send(call, ended === undefined ? { $case: 'stored', stored: true } : { $case: 'refusal', refusal: ended });
  } finally {
    inQuota?.release();
    if (rejectionOf(core, agentId, key) !== undefined) options.onEndedUpload(key);
  }
}

/** An upload of a running attempt. */
interface AcceptedUpload {
  readonly key: AttemptKey;
  readonly artifact: Artifact;
  readonly next: NextMessage<PutRequest>;
  readonly options: ArtifactServiceOptions;
}

async function receiveBytes(call: PutCall, { key, artifact, next, options }: AcceptedUpload): Promise<void> {
  const incoming = await options.files.begin(key, artifact);
  try {
    const onReserved = () => send(call, { $case: 'offset', offset: incoming.offset });
    const announced = { name: `artifact ${artifact.name}`, size: artifact.size, space: options.space };
    await receiveChunks(incoming, announced, onReserved, async () => {
      const message = (await next())?.message;
      if (message === undefined || message.$case === 'chunk') return message?.chunk;
      throw new BadInputError('the header of a Put must be followed only by chunks');
    });
  } finally {
    await incoming.close();
  }
}

/** Lets the agent send the file directly to the artifact store, and verifies the stored object. */
async function receiveDirectly(
  call: PutCall,
  { key, artifact, next }: AcceptedUpload,
  direct: DirectTransfers,
): Promise<void> {
  const upload = await direct.begin(key, artifact);
  try {
    const parts = upload.requests.map(({ headers, ...request }) => ({ ...request, headers: { ...headers } }));
    send(call, { $case: 'direct', direct: { parts } });
    for (let sent = false; !sent; ) {
      const message = (await next())?.message;
      if (message === undefined) throw new BadInputError(`the upload of artifact ${artifact.name} ended early`);
      if (message.$case !== 'progress' && message.$case !== 'sent') {
        throw new BadInputError('the header of a direct Put must be followed only by progress');
      }
      sent = message.$case === 'sent';
    }
    if (!(await upload.finish())) throw new DamagedError(`artifact ${artifact.name} was damaged in transit`);
  } finally {
    upload.close();
  }
}

function checked(header: PutHeader): { key: AttemptKey; agentId: string; artifact: Artifact } {
  if (header.artifact === undefined) throw new BadInputError('the header of a Put must describe the artifact');
  return { key: attemptKeyOf(header.key), agentId: header.agentId, artifact: receivedArtifact(header.artifact) };
}

function send(call: PutCall, message: PutResponse['message']): void {
  call.write({ message });
}

async function* list(queries: Queries, request: ListRequest): AsyncGenerator<ListResponse> {
  const { sweepId, trialId } = await find(queries, request.sweep, request.trial);
  let page = await queries.artifacts.page(sweepId, trialId, { limit: ARTIFACTS_PER_MESSAGE });
  while (page.length > 0) {
    const trials = groups(page, (row) => row.trialId).map(([id, rows]) => ({
      sweepId,
      trialId: id,
      artifacts: rows.map(({ artifact }) => artifact),
    }));
    yield { trials };
    const last = page.at(-1);
    if (page.length < ARTIFACTS_PER_MESSAGE || last === undefined) return;
    const after = { trialId: last.trialId, attempt: last.artifact.attempt, name: last.artifact.name };
    page = await queries.artifacts.page(sweepId, trialId, { after, limit: ARTIFACTS_PER_MESSAGE });
  }
}

async function* read(
  { queries, files, inherited, core, guard }: ArtifactServiceOptions,
  request: ReadRequest,
  call: ReadCall,
): AsyncGenerator<ReadResponse> {
  if (request.trial === '') throw new BadInputError('a Read must name the trial');
  const { sweepId, trialId } = await find(queries, request.sweep, request.trial);
  const agentId = guard.agentOf(call);
  const leased = core?.sweeps.get(sweepId)?.trials.get(trialId);
  const holders = leased === undefined ? [] : leasesOf(leased).map((lease) => lease.agentId);
  if (agentId !== undefined && !holders.includes(agentId)) {
    throw guard.reject('other_attempt', call, `trial ${trialId} is not leased to agent ${agentId}`);
  }
  const artifact = await queries.artifacts.get(sweepId, trialId, request.attempt, request.name);
  const key = { sweepId, trialId, attempt: artifact.attempt };
  if (files.isMissing(key, artifact.name)) {
    throw new NotFoundError(`the file of artifact ${artifact.name} of trial ${trialId} is missing`);
  }
  if (inherited?.isPending(key, artifact.name)) {
    throw new UnreachableError(`the checkpoint of the parent of trial ${trialId} has not been copied yet`);
  }
  yield { message: { $case: 'artifact', artifact } };
  if (request.direct && files.direct?.accepts(artifact) === true) {
    return yield { message: { $case: 'url', url: await files.direct.urlOf(key, artifact) } };
  }
  for await (const chunk of files.read(key, artifact, request.offset)) {
    yield { message: { $case: 'chunk', chunk } };
  }
}

async function find(queries: Queries, sweep: string, trial: string): Promise<{ sweepId: string; trialId: string }> {
  return trial === ''
    ? { sweepId: await queries.selectors.findSweep(sweep), trialId: '' }
    : queries.selectors.findTrial(sweep, trial);
}
