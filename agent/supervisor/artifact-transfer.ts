/** An artifact's bytes between the attempt's folder and the coordinator. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ClientDuplexStream } from '@grpc/grpc-js';
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

/**
 * Brings a file, or what the coordinator does not have of it yet.
 * @returns `stored` once it is durable there, or why nothing of the attempt is taken
 * @throws {ServiceError | NodeJS.ErrnoException} when the way broke, or the file cannot be read
 */
export async function bringArtifact(
  client: ArtifactServiceClient,
  { agentId, key, artifact, path }: Outgoing,
  signal: AbortSignal,
): Promise<'stored' | Refusal> {
  const call = client.put();
  const cancel = () => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    call.write({ message: { $case: 'header', header: { key, agentId, artifact } } });
    for await (const { message } of call as AsyncIterable<PutResponse>) {
      if (message?.$case === 'refusal') return message.refusal;
      if (message?.$case === 'stored') return 'stored';
      if (message?.$case === 'offset') await send(call, path, message.offset);
    }
    throw new Error(`the coordinator said nothing about artifact ${artifact.name}`);
  } finally {
    signal.removeEventListener('abort', cancel);
    call.on('error', () => {});
    call.cancel();
  }
}

async function send(call: ClientDuplexStream<PutRequest, PutResponse>, path: string, start: number): Promise<void> {
  for await (const chunk of createReadStream(path, { start, highWaterMark: ARTIFACT_CHUNK_BYTES })) {
    if (call.write({ message: { $case: 'chunk', chunk } })) continue;
    await new Promise<void>((resolve) => {
      const done = () => {
        call.off('drain', done);
        call.off('close', done);
        resolve();
      };
      call.on('drain', done);
      call.on('close', done);
    });
  }
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
