/** Between gRPC's callbacks and plain functions: a thrown error becomes a status, whoever made it. */
import {
  type handleUnaryCall,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { untilDrained, within } from '../../lib/net/within.ts';
import { isDiskFull, OverloadedError, StalledError, TrawlError } from '../../proto/errors.ts';
import { STALL_MS } from './limits.ts';

/** A status for a client; what is nobody's fault but ours is logged, and not told. */
export function statusOf(error: unknown, log: Logger): Partial<ServiceError> {
  if (error instanceof OverloadedError || error instanceof StalledError) log.warn(error.message);
  if (error instanceof TrawlError) return { code: error.grpcCode, details: error.message };
  log.error({ err: error }, 'a call failed');
  if (isDiskFull(error)) return { code: status.RESOURCE_EXHAUSTED, details: "the coordinator's disk is full" };
  return { code: status.INTERNAL, details: 'the coordinator failed to answer: its log says why' };
}

export function unary<Request, Response>(
  log: Logger,
  handle: (request: Request, call: ServerUnaryCall<Request, Response>) => Response | Promise<Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    (async () => handle(call.request, call))().then(
      (response) => callback(null, response),
      (error) => callback(statusOf(error, log)),
    );
  };
}

/**
 * A stream of responses from an async generator, at the pace that the client reads. A client that takes nothing for
 * `stallMs` is given up, and the generator with it.
 */
export function streamed<Request, Response>(
  log: Logger,
  produce: (
    request: Request,
    signal: AbortSignal,
    call: ServerWritableStream<Request, Response>,
  ) => AsyncIterable<Response>,
  stallMs = STALL_MS,
): (call: ServerWritableStream<Request, Response>) => void {
  return (call) => {
    const gone = new AbortController();
    call.on('cancelled', () => gone.abort());
    call.on('close', () => gone.abort());
    call.on('error', () => gone.abort());
    (async () => {
      for await (const response of produce(call.request, gone.signal, call)) {
        if (gone.signal.aborted) return;
        if (call.write(response)) continue;
        const stalled = new OverloadedError(`nothing was read from ${call.getPath()} for ${stallMs} ms: it is ended`);
        await within(stallMs, stalled, untilDrained(call, gone.signal));
      }
      call.end();
    })().catch((error) => {
      if (!gone.signal.aborted) call.emit('error', statusOf(error, log));
    });
  };
}
