/** The limits of all uploads: the number of concurrent ones, the time for each chunk, and the free space on the disk. */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { within } from '../../lib/net/within.ts';
import {
  BadInputError,
  DamagedError,
  isDiskFull,
  NoSpaceError,
  OverloadedError,
  StalledError,
} from '../../proto/errors.ts';
import type { IncomingFile } from '../artifacts/incoming-file.ts';
import type { Reservation, SpaceLedger } from '../artifacts/space-ledger.ts';
import { statusOf } from './handlers.ts';
import { STALL_MS } from './limits.ts';

export interface UploadLimits {
  /** The maximum number of concurrent uploads. */
  readonly maxUploads: number;
  /** The time limit for the next chunk. */
  readonly stallMs: number | undefined;
}

/** Returns the next message of an upload; undefined at its end. @throws {StalledError} after the time limit */
export type NextMessage<Request> = () => Promise<Request | undefined>;

/** @param receive receives one file. Its error ends the call */
export function uploadHandler<Request, Response>(
  { maxUploads, stallMs = STALL_MS }: UploadLimits,
  log: Logger,
  receive: (call: ServerDuplexStream<Request, Response>, next: NextMessage<Request>) => Promise<void>,
): (call: ServerDuplexStream<Request, Response>) => void {
  let uploads = 0;
  return (call) => {
    call.on('error', () => {});
    if (uploads >= maxUploads) {
      const full = new OverloadedError(`too many concurrent uploads (max ${maxUploads}): retry later`);
      return void call.emit('error', statusOf(full, log));
    }
    uploads += 1;
    receive(call, messagesOf(call, stallMs))
      .then(
        () => call.end(),
        (error) => {
          if (isPrematureClose(error)) log.debug({ from: call.getPeer() }, 'an upload was interrupted');
          else
            call.emit(
              'error',
              statusOf(isDiskFull(error) ? new NoSpaceError("the coordinator's disk is full") : error, log),
            );
        },
      )
      .finally(() => {
        uploads -= 1;
      });
  };
}

function messagesOf<Request, Response>(
  call: ServerDuplexStream<Request, Response>,
  stallMs: number,
): NextMessage<Request> {
  // The end of the input must not destroy the stream, because the answer is still to be sent.
  const messages = call.iterator({ destroyOnReturn: false }) as AsyncIterator<Request>;
  return async () => {
    const late = new StalledError(`no data from ${call.getPeer()} for ${stallMs} ms: the upload timed out`);
    const result = await within(stallMs, late, messages.next());
    return result.done === true ? undefined : result.value;
  };
}

/**
 * Reserves space for the rest of a file, receives it, and stores it durably. Does not close it.
 * @param name of the file, for messages
 * @param onReserved called when there is space
 * @param nextChunk returns the next chunk; undefined at the end of the upload
 * @throws {NoSpaceError | OverloadedError} when there is no space
 */
export async function receiveChunks(
  incoming: IncomingFile,
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
  incoming: IncomingFile,
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
