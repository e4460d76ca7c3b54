/** Transfers the bytes of artifacts and code between the agent's folder and the coordinator. */

import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type ClientDuplexStream, status } from '@grpc/grpc-js';
import { checksumOfFile } from '../../lib/files/checksum.ts';
import { type DirectPart, DirectPath, sendDirectly } from '../../lib/net/direct-transfer.ts';
import { sendFile } from '../../lib/net/send-file.ts';
import type {
  ArtifactServiceClient,
  PutRequest,
  PutResponse,
  ReadResponse,
} from '../../proto/gen/trawl/v1/artifact_service.ts';
import type { AttemptKey, Refusal } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { CodeServiceClient, ReadCodeResponse } from '../../proto/gen/trawl/v1/code_service.ts';
import type { Artifact, CodeArchive } from '../../proto/gen/trawl/v1/types.ts';

/**
 * The interval at which a direct upload to the artifact store reports its progress to the coordinator. The coordinator
 * ends an upload that reports no progress.
 */
const PROGRESS_MS = 1_000;

/** An artifact to upload, and the path of its file. */
export interface Upload {
  readonly agentId: string;
  readonly key: AttemptKey;
  readonly artifact: Artifact;
  readonly path: string;
}

/**
 * Thrown when the file is missing, or was changed after its checksum was computed. Retrying the upload cannot succeed.
 */
export class LostFileError extends Error {}

/**
 * Uploads a file, except for the bytes that the coordinator already has.
 * @returns `stored` once the file is durable; otherwise the reason why the coordinator accepts no data of the attempt
 * @throws {LostFileError} if the file is missing or was changed
 * @throws {DirectTransferError} if the file could not be sent directly to the artifact store. For some time after this
 * error, uploads are sent to the coordinator instead
 * @throws {ServiceError | NodeJS.ErrnoException} if the call failed, or if the file cannot be read
 */
export async function uploadArtifact(
  client: ArtifactServiceClient,
  upload: Upload,
  signal: AbortSignal,
  direct = new DirectPath(),
): Promise<'stored' | Refusal> {
  const { agentId, key, artifact, path } = upload;
  const call = client.put();
  const ended = new AbortController();
  for (const event of ['error', 'end', 'close'] as const) call.on(event, () => ended.abort());
  const cancel = () => call.cancel();
  let isDirect = false;
  signal.addEventListener('abort', cancel, { once: true });
  try {
    call.write({ message: { $case: 'header', header: { key, agentId, artifact, direct: direct.isOpen } } });
    for await (const { message } of call as AsyncIterable<PutResponse>) {
      if (message?.$case === 'refusal') return message.refusal;
      if (message?.$case === 'stored') return 'stored';
      if (message?.$case === 'direct') {
        isDirect = true;
        await sendParts(call, path, message.direct.parts, AbortSignal.any([ended.signal, signal]));
      }
      if (message?.$case !== 'offset') continue;
      const part = { path, start: message.offset, size: artifact.size };
      const isWhole = await sendFile<PutRequest>(
        call,
        part,
        (chunk) => ({ message: { $case: 'chunk', chunk } }),
        ended.signal,
      );
      if (!isWhole) throw changedFile(path);
    }
    throw new Error(`the coordinator did not answer the upload of ${artifact.name}`);
  } catch (error) {
    if (isDirect && !signal.aborted) direct.close();
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') throw new LostFileError(`the file ${path} is missing`);
    if (code === status.DATA_LOSS && (await checksumOfFile(path)).sha256 !== artifact.sha256) throw changedFile(path);
    throw error;
  } finally {
    signal.removeEventListener('abort', cancel);
    call.cancel();
  }
}

/** Sends the parts of a file directly to the artifact store, and reports the progress to the coordinator. */
async function sendParts(
  call: ClientDuplexStream<PutRequest, PutResponse>,
  path: string,
  parts: readonly DirectPart[],
  signal: AbortSignal,
): Promise<void> {
  let unreported = 0;
  const report = () => {
    if (unreported === 0) return;
    call.write({ message: { $case: 'progress', progress: unreported } });
    unreported = 0;
  };
  const timer = setInterval(report, PROGRESS_MS);
  try {
    for (const part of parts) {
      await sendDirectly(path, part, {
        onSent: (bytes) => {
          unreported += bytes;
        },
        signal,
      });
    }
    report();
    call.write({ message: { $case: 'sent', sent: true } });
  } finally {
    clearInterval(timer);
  }
}

function changedFile(path: string): LostFileError {
  return new LostFileError(`the file ${path} was changed after its checksum was computed`);
}

/**
 * Downloads an artifact into a file.
 * @returns whether the downloaded bytes have the checksum of the artifact
 * @throws {ServiceError} if the coordinator cannot be reached or does not have the artifact
 */
export async function downloadArtifact(
  client: ArtifactServiceClient,
  key: AttemptKey,
  artifact: Artifact,
  path: string,
  direct = new DirectPath(),
): Promise<boolean> {
  await mkdir(dirname(path), { recursive: true });
  const hash = createHash('sha256');
  const { sweepId: sweep, trialId: trial } = key;
  const of = { sweep, trial, attempt: artifact.attempt, name: artifact.name, offset: 0 };
  const call = client.read({ ...of, direct: direct.isOpen });
  await pipeline(
    call,
    async function* (messages: AsyncIterable<ReadResponse>) {
      for await (const { message } of messages) {
        if (message?.$case === 'artifact' || message === undefined) continue;
        for await (const chunk of message.$case === 'chunk' ? [message.chunk] : direct.read(message.url)) {
          hash.update(chunk);
          yield chunk;
        }
      }
    },
    createWriteStream(path),
  );
  return hash.digest('hex') === artifact.sha256;
}

/**
 * Downloads the missing bytes of a code archive, and appends them to the file.
 * @throws {ServiceError} if the coordinator cannot be reached or does not have the archive
 * @throws {Error} if the coordinator sends more than the announced size
 */
export async function downloadCode(
  client: CodeServiceClient,
  { sha256, size }: CodeArchive,
  path: string,
): Promise<void> {
  const file = await open(path, 'a');
  try {
    let { size: received } = await file.stat();
    if (received > size) {
      await file.truncate(0);
      received = 0;
    }
    if (received === size) return;
    const call = client.readCode({ sha256, offset: received });
    try {
      for await (const { chunk } of call as AsyncIterable<ReadCodeResponse>) {
        received += chunk.byteLength;
        if (received > size) throw new Error(`the coordinator sent more than the ${size} bytes of the code archive`);
        await file.appendFile(chunk);
      }
    } finally {
      call.cancel();
    }
  } finally {
    await file.close();
  }
}
