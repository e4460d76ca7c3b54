/**
 * Receives uploads, and enforces their limits: the time for each message, the minimum rate, and the free space on the
 * disk or in a quota.
 */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { within } from '../../lib/net/within.ts';
import { BadInputError, DamagedError, isDiskFull, NoSpaceError, StalledError } from '../../proto/errors.ts';
import type { IncomingArtifact } from '../artifacts/artifact-store.ts';
import type { Reservation, SpaceLedger } from '../artifacts/space-ledger.ts';
import { statusOf } from './handlers.ts';
import { MIN_UPLOAD_BYTES_PER_S, STALL_MS } from './limits.ts';

/** One message of an upload. */
interface UploadMessage {
  readonly message?:
    | { readonly $case: 'header' | 'sent' }
    | { readonly $case: 'chunk'; readonly chunk: Uint8Array }
    | { readonly $case: 'progress'; readonly progress: number }
    | undefined;
}

/**
 * Returns the next message of an upload; undefined at the end of the upload.
 * @throws {StalledError} after the time limit, or if the upload is too slow
 */
export type NextMessage<Request> = () => Promise<Request | undefined>;

/**
 * Returns the handler of a method that receives one file per call.
 * @param receive a function that receives the file; an error of this function ends the call
 * @param stallMs the time limit for the next message, in milliseconds
 */
export function uploadHandler<Request extends UploadMessage, Response>(
  log: Logger,
  receive: (call: ServerDuplexStream<Request, Response>, next: NextMessage<Request>) => Promise<void>,
  stallMs = STALL_MS,
): (call: ServerDuplexStream<Request, Response>) => void {
  return (call) => {
    call.on('error', () => {});
    receive(call, messagesOf(call, stallMs)).then(
      () => call.end(),
      (error) => {
        if (isPrematureClose(error)) return log.debug({ from: call.getPeer() }, 'an upload was interrupted');
        const reason = isDiskFull(error) ? new NoSpaceError("the coordinator's disk is full") : error;
        call.emit('error', statusOf(reason, log));
      },
    );
  };
}

function messagesOf<Request extends UploadMessage, Response>(
  call: ServerDuplexStream<Request, Response>,
  stallMs: number,
): NextMessage<Request> {
  // The end of the input must not destroy the stream, because the answer must still be sent.
  const messages = call.iterator({ destroyOnReturn: false }) as AsyncIterator<Request>;
  let waitedMs = 0;
  let received = 0;
  return async () => {
    const late = new StalledError(`no data from ${call.getPeer()} for ${stallMs} ms: the upload timed out`);
    const begun = performance.now();
    const result = await within(stallMs, late, messages.next());
    if (result.done === true) return undefined;
    const { message } = result.value;
    waitedMs += performance.now() - begun;
    if (message?.$case === 'chunk') received += message.chunk.byteLength;
    else if (message?.$case === 'progress') received += message.progress;
    if (isTooSlow(received, waitedMs, stallMs)) {
      throw new StalledError(
        `the upload from ${call.getPeer()} is slower than ${MIN_UPLOAD_BYTES_PER_S} bytes per second`,
      );
    }
    return result.value;
  };
}

/**
 * Whether an upload is too slow, based on the time that the coordinator has waited for its data. No upload counts as
 * too slow before the coordinator has waited for `stallMs`.
 */
export function isTooSlow(bytes: number, waitedMs: number, stallMs: number): boolean {
  return waitedMs > stallMs && bytes < (waitedMs / 1_000) * MIN_UPLOAD_BYTES_PER_S;
}

/**
 * Reserves space for the rest of a file, receives the rest, and stores the file durably. The caller must close the
 * file.
 * @param name the name of the file, for messages
 * @param onReserved called when the space is reserved
 * @param nextChunk a function that returns the next chunk; undefined at the end of the upload
 * @throws {NoSpaceError | OverloadedError} if the space does not suffice
 * @throws {BadInputError | DamagedError} if the file is shorter or longer than announced, or has the wrong checksum
 */
export async function receiveChunks(
  incoming: IncomingArtifact,
  { name, size, space }: { readonly name: string; readonly size: number; readonly space: SpaceLedger },
  onReserved: () => void,
  nextChunk: () => Promise<Uint8Array | undefined>,
): Promise<void> {
  const reservation = await space.reserve(name, size - incoming.offset);
  try {
    onReserved();
    await storeChunks(incoming, { name, size, reservation }, nextChunk);
  } finally {
    reservation.release();
  }
}

async function storeChunks(
  incoming: IncomingArtifact,
  { name, size, reservation }: { readonly name: string; readonly size: number; readonly reservation: Reservation },
  nextChunk: () => Promise<Uint8Array | undefined>,
): Promise<void> {
  while (!incoming.whole) {
    const chunk = await nextChunk();
    if (chunk === undefined) throw new BadInputError(`the upload of ${name} ended early`);
    if (!(await incoming.append(chunk))) {
      throw new BadInputError(`${name} is larger than the ${size} bytes in its header`);
    }
    reservation.consume(chunk.byteLength);
  }
  if (!(await incoming.finish())) throw new DamagedError(`${name} was damaged in transit`);
}

function isPrematureClose(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE';
}
