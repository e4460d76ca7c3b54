/** Artifacts come in from agents, and go out to whoever asks. */

import { statfs } from 'node:fs/promises';
import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import type { AttemptKey } from '../../lib/domain/attempt-key.ts';
import { within } from '../../lib/net/within.ts';
import {
  BadInputError,
  DamagedError,
  NotFoundError,
  OverloadedError,
  RefusedError,
  StalledError,
} from '../../proto/errors.ts';
import type {
  ArtifactServiceServer,
  ListRequest,
  ListResponse,
  PutHeader,
  PutRequest,
  PutResponse,
  ReadRequest,
  ReadResponse,
  TrialArtifacts,
} from '../../proto/gen/trawl/v1/artifact_service.ts';
import { MAX_ARTIFACTS } from '../../proto/limits.ts';
import type { ArtifactFiles } from '../artifacts/files.ts';
import type { Guard } from '../auth/guard.ts';
import { isLeasedToAnother, rejectionOf } from '../core/attempts.ts';
import type { Artifact, Core } from '../core/model.ts';
import type { Queries } from '../store/queries.ts';
import { statusOf, streamed, unary } from './handlers.ts';
import { MAX_PUTS, MIN_FREE_BYTES, STALL_MS } from './limits.ts';
import { artifactOf, keyOf } from './records.ts';

type PutCall = ServerDuplexStream<PutRequest, PutResponse>;
type ReadCall = ServerWritableStream<ReadRequest, ReadResponse>;

export interface ArtifactServiceOptions {
  readonly queries: Queries;
  readonly files: ArtifactFiles;
  /** Whose attempts may bring files; undefined: nobody's, the store is only read. */
  readonly core: Core | undefined;
  readonly guard: Guard;
  readonly log: Logger;
  /** How long an artifact's next piece is waited for. */
  readonly stallMs?: number;
}

export function artifactService(options: ArtifactServiceOptions): ArtifactServiceServer {
  const { queries, log } = options;
  let coming = 0;
  return {
    put: (call) => {
      call.on('error', () => {});
      if (coming >= MAX_PUTS) {
        const full = new OverloadedError(`${MAX_PUTS} artifacts are on their way in already: try again`);
        return void call.emit('error', statusOf(full, log));
      }
      coming += 1;
      takeFile(call, options)
        .then(
          () => call.end(),
          (error) => {
            // Nobody is left to be told, and an agent that goes is no failure of ours.
            if (wasBrokenOff(error)) log.debug({ from: call.getPeer() }, 'an artifact was broken off');
            else call.emit('error', statusOf(error, log));
          },
        )
        .finally(() => {
          coming -= 1;
        });
    },
    list: unary(log, (request) => list(queries, request)),
    read: streamed(log, (request, _signal, call) => read(options, request, call)),
  };
}

async function takeFile(call: PutCall, options: ArtifactServiceOptions): Promise<void> {
  const { queries, files, core, guard, stallMs = STALL_MS } = options;
  // The end of what comes in must not destroy the stream: the answer still has to go out.
  const messages = call.iterator({ destroyOnReturn: false }) as AsyncIterator<PutRequest>;
  const next = () => {
    const late = new StalledError(`nothing came from ${call.getPeer()} for ${stallMs} ms: its artifact is given up`);
    return within(stallMs, late, messages.next());
  };
  const first = (await next()).value as PutRequest | undefined;
  if (first?.message?.$case !== 'header') throw new BadInputError('the first message of a Put must be a header');
  const { key, agentId, artifact } = checked(first.message.header);
  guard.agentOf(call, agentId);
  if (core === undefined) throw new RefusedError('no coordinator runs here: nothing is taken');
  const refusal = rejectionOf(core, agentId, key);
  if (refusal !== undefined) {
    if (isLeasedToAnother(core, agentId, key)) guard.reject('other_attempt', call, refusal.message);
    return say(call, { $case: 'refusal', refusal });
  }
  if (await files.holds(key, artifact)) return say(call, { $case: 'stored', stored: true });
  if (queries.artifactCount(key) >= MAX_ARTIFACTS) {
    throw new BadInputError(`an attempt may leave ${MAX_ARTIFACTS} artifacts, and this one has`);
  }
  await mustFit(files.dir, artifact.size);
  const incoming = await files.begin(key, artifact);
  try {
    say(call, { $case: 'offset', offset: incoming.offset });
    while (!incoming.whole) {
      const piece = await next();
      if (piece.done === true) throw new BadInputError(`artifact ${artifact.name} ended early`);
      const { message } = piece.value;
      if (message?.$case !== 'chunk') throw new BadInputError('after its header a Put carries chunks only');
      if (!(await incoming.append(message.chunk))) {
        throw new BadInputError(`artifact ${artifact.name} has more than the ${artifact.size} bytes that it announced`);
      }
    }
    // Thrown, so that whoever brings it again at once finds it free to come.
    if (!(await incoming.finish())) throw new DamagedError(`artifact ${artifact.name} arrived damaged`);
    say(call, { $case: 'stored', stored: true });
  } finally {
    await incoming.close();
  }
}

/** Whether it says that the stream has ended before its time. */
function wasBrokenOff(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';
}

/** What fills the disk would take the store with it. */
async function mustFit(dir: string, size: number): Promise<void> {
  const { bavail, bsize } = await statfs(dir);
  if (bavail * bsize - size >= MIN_FREE_BYTES) return;
  throw new OverloadedError(`the coordinator's disk has no room for ${size} bytes more: try again`);
}

function checked(header: PutHeader): { key: AttemptKey; agentId: string; artifact: Artifact } {
  if (header.artifact === undefined) throw new BadInputError('a Put must say which artifact it brings');
  return { key: keyOf(header.key), agentId: header.agentId, artifact: artifactOf(header.artifact) };
}

function say(call: PutCall, message: PutResponse['message']): void {
  call.write({ message });
}

function list(queries: Queries, request: ListRequest): ListResponse {
  const { sweepId, trialId } = find(queries, request.sweep, request.trial);
  const byTrial = new Map<string, TrialArtifacts>();
  for (const { trialId: id, artifact } of queries.artifacts(sweepId, trialId)) {
    const entry = byTrial.get(id) ?? { sweepId, trialId: id, artifacts: [] };
    entry.artifacts.push(artifact);
    byTrial.set(id, entry);
  }
  return { trials: [...byTrial.values()] };
}

async function* read(
  { queries, files, core, guard }: ArtifactServiceOptions,
  request: ReadRequest,
  call: ReadCall,
): AsyncGenerator<ReadResponse> {
  if (request.trial === '') throw new BadInputError('an artifact is read by its trial');
  const { sweepId, trialId } = find(queries, request.sweep, request.trial);
  const agentId = guard.agentOf(call);
  const holder = core?.sweeps.get(sweepId)?.trials.get(trialId)?.lease?.agentId;
  if (agentId !== undefined && agentId !== holder) {
    throw guard.reject('other_attempt', call, `trial ${trialId} is not leased to agent ${agentId}`);
  }
  const artifact = queries.artifact(sweepId, trialId, request.attempt, request.name);
  const key = { sweepId, trialId, attempt: artifact.attempt };
  if (!files.has(key, artifact.name)) {
    throw new NotFoundError(`the file of artifact ${artifact.name} of trial ${trialId} is gone from the folder`);
  }
  yield { message: { $case: 'artifact', artifact } };
  for await (const chunk of files.read(key, artifact.name, request.offset)) {
    yield { message: { $case: 'chunk', chunk } };
  }
}

function find(queries: Queries, sweep: string, trial: string): { sweepId: string; trialId: string } {
  const within = sweep === '' && trial !== '' ? '' : queries.findSweep(sweep);
  return trial === '' ? { sweepId: within, trialId: '' } : queries.findTrial(within, trial);
}
