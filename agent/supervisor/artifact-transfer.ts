/** An artifact's bytes between the attempt's folder and the coordinator. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type ClientDuplexStream, status } from '@grpc/grpc-js';
import { ARTIFACT_CHUNK_BYTES } from '../../proto/artifacts.ts';
import type { ArtifactServiceClient, PutRequest, PutResponse } from '../../proto/gen/trawl/v1/artifact_service.ts';
import type { AttemptKey, Refusal } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Artifact } from '../../proto/gen/trawl/v1/types.ts';

export interface Outgoing {
  readonly agentId: string;
  readonly key: AttemptKey;
  readonly artifact: Artifact;
  /** Where its bytes are. */
  readonly path: string;
}

/** The file is not, or not any more, the one that was announced: bringing it again would not help. */
export class LostFileError extends Error {}

/**
 * Brings a file, or what the coordinator does not have of it yet.
 * @returns `stored` once it is durable there, or why nothing of the attempt is taken
 * @throws {LostFileError} when there is no such file to bring
 * @throws {ServiceError | NodeJS.ErrnoException} when the way broke, or the file cannot be read
 */
export async function bringArtifact(
  client: ArtifactServiceClient,
  outgoing: Outgoing,
  signal: AbortSignal,
): Promise<'stored' | Refusal> {
  const { agentId, key, artifact, path } = outgoing;
  const call = client.put();
  const over = new AbortController();
  for (const event of ['error', 'end', 'close'] as const) call.on(event, () => over.abort());
  const cancel = () => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    call.write({ message: { $case: 'header', header: { key, agentId, artifact } } });
    for await (const { message } of call as AsyncIterable<PutResponse>) {
      if (message?.$case === 'refusal') return message.refusal;
      if (message?.$case === 'stored') return 'stored';
      if (message?.$case === 'offset') await send(call, outgoing, message.offset, over.signal);
    }
    throw new Error(`the coordinator said nothing about artifact ${artifact.name}`);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') throw new LostFileError(`the file ${path} is gone`);
    if (code === status.DATA_LOSS && (await sha256Of(path)) !== artifact.sha256) throw changed(path);
    throw error;
  } finally {
    signal.removeEventListener('abort', cancel);
    call.cancel();
  }
}

/** Returns early when the call is over: it will say why. */
async function send(
  call: ClientDuplexStream<PutRequest, PutResponse>,
  { artifact, path }: Outgoing,
  start: number,
  over: AbortSignal,
): Promise<void> {
  if (start >= artifact.size) return;
  let at = start;
  for await (const chunk of createReadStream(path, {
    start,
    end: artifact.size - 1,
    highWaterMark: ARTIFACT_CHUNK_BYTES,
  })) {
    if (over.aborted) return;
    at += chunk.length;
    if (!call.write({ message: { $case: 'chunk', chunk } })) await drained(call, over);
  }
  if (at < artifact.size && !over.aborted) throw changed(path);
}

/** A call that ended does not always drain, and not always close. */
function drained(call: ClientDuplexStream<PutRequest, PutResponse>, over: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (over.aborted) return resolve();
    const done = () => {
      call.off('drain', done);
      over.removeEventListener('abort', done);
      resolve();
    };
    call.on('drain', done);
    over.addEventListener('abort', done);
  });
}

function changed(path: string): LostFileError {
  return new LostFileError(`the file ${path} was changed after it was announced`);
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('hex');
}

/**
 * Fetches an artifact into a file.
 * @returns whether its bytes are those that were announced
 * @throws {ServiceError} when the coordinator cannot be reached, or has no such artifact
 */
export async function fetchArtifact(
  client: ArtifactServiceClient,
  key: AttemptKey,
  artifact: Artifact,
  path: string,
): Promise<boolean> {
  await mkdir(dirname(path), { recursive: true });
  const hash = createHash('sha256');
  const { sweepId: sweep, trialId: trial } = key;
  const call = client.read({ sweep, trial, attempt: artifact.attempt, name: artifact.name, offset: 0 });
  await pipeline(
    call,
    async function* (messages: AsyncIterable<{ message?: { $case: string; chunk?: Uint8Array } }>) {
      for await (const { message } of messages) {
        if (message?.$case !== 'chunk' || message.chunk === undefined) continue;
        hash.update(message.chunk);
        yield message.chunk;
      }
    },
    createWriteStream(path),
  );
  return hash.digest('hex') === artifact.sha256;
}
