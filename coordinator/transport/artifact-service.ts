/** Artifacts come in from agents, and go out to whoever asks. */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { BadInputError, DamagedError, NotFoundError, RefusedError } from '../../proto/errors.ts';
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
import type { ArtifactFiles } from '../artifacts/files.ts';
import { refusalFor } from '../core/attempts.ts';
import type { Artifact, AttemptKey, Core } from '../core/model.ts';
import type { Queries } from '../store/queries.ts';
import { statusOf, streamed, unary } from './handlers.ts';
import { artifactOf, keyOf } from './records.ts';

type PutCall = ServerDuplexStream<PutRequest, PutResponse>;

export interface ArtifactServiceOptions {
  readonly queries: Queries;
  readonly files: ArtifactFiles;
  /** Whose attempts may bring files; undefined: nobody's, the store is only read. */
  readonly core: Core | undefined;
  readonly log: Logger;
}

export function artifactService({ queries, files, core, log }: ArtifactServiceOptions): ArtifactServiceServer {
  return {
    put: (call) => {
      call.on('error', () => {});
      takeFile(call, core, files).then(
        () => call.end(),
        (error) => call.emit('error', statusOf(error, log)),
      );
    },
    list: unary(log, (request) => list(queries, request)),
    read: streamed(log, (request) => read(queries, files, request)),
  };
}

async function takeFile(call: PutCall, core: Core | undefined, files: ArtifactFiles): Promise<void> {
  // The end of what comes in must not destroy the stream: the answer still has to go out.
  const messages = call.iterator({ destroyOnReturn: false }) as AsyncIterator<PutRequest>;
  const first = (await messages.next()).value as PutRequest | undefined;
  if (first?.message?.$case !== 'header') throw new BadInputError('the first message of a Put must be a header');
  const { key, agentId, artifact } = checked(first.message.header);
  if (core === undefined) throw new RefusedError('no coordinator runs here: nothing is taken');
  const refusal = refusalFor(core, agentId, key);
  if (refusal !== undefined) return say(call, { $case: 'refusal', refusal });
  if (await files.holds(key, artifact)) return say(call, { $case: 'stored', stored: true });
  const incoming = await files.begin(key, artifact);
  try {
    say(call, { $case: 'offset', offset: incoming.offset });
    while (!incoming.whole) {
      const next = await messages.next();
      if (next.done === true) throw new BadInputError(`artifact ${artifact.name} ended early`);
      const { message } = next.value;
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

async function* read(queries: Queries, files: ArtifactFiles, request: ReadRequest): AsyncGenerator<ReadResponse> {
  if (request.trial === '') throw new BadInputError('an artifact is read by its trial');
  const { sweepId, trialId } = find(queries, request.sweep, request.trial);
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
