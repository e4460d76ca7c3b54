/** Adapts functions and async generators to gRPC handlers. A thrown error becomes a status. */
import {
  type handleUnaryCall,
  Metadata,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { within } from '../../lib/net/within.ts';
import {
  isDiskFull,
  NoSpaceError,
  NotLeaderError,
  OverloadedError,
  StalledError,
  TrawlError,
  UnreachableError,
} from '../../proto/errors.ts';
import { REACHED_HEADER } from '../../proto/leader-header.ts';
import { STALL_MS } from './limits.ts';

/** Converts an error to a gRPC status. Unexpected errors are logged, and their details are not sent to the client. */
export function statusOf(error: unknown, log: Logger): Partial<ServiceError> {
  if (error instanceof OverloadedError || error instanceof StalledError || error instanceof NoSpaceError)
    log.warn(error.message);
  if (error instanceof TrawlError) {
    const answer = { code: error.grpcCode, details: error.message };
    const isFromLeader = error instanceof UnreachableError && !(error instanceof NotLeaderError);
    return isFromLeader ? { ...answer, metadata: reached() } : answer;
  }
  log.error({ err: error }, 'a call failed');
  if (isDiskFull(error)) return { code: status.RESOURCE_EXHAUSTED, details: "the coordinator's disk is full" };
  return { code: status.INTERNAL, details: 'internal error of the coordinator; see its log' };
}

/**
 * Returns the metadata with which a leader marks its UNAVAILABLE errors, so that clients do not look for another
 * leader.
 */
function reached(): Metadata {
  const metadata = new Metadata();
  metadata.set(REACHED_HEADER, '1');
  return metadata;
}

/** Lets waiting callers continue in order, one per turn of the event loop. */
export class Turns {
  readonly #waiting: (() => void)[] = [];

  next(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.length === 0) setImmediate(() => this.#run());
      this.#waiting.push(resolve);
    });
  }

  #run(): void {
    this.#waiting.shift()?.();
    if (this.#waiting.length > 0) setImmediate(() => this.#run());
  }
}

const turns = new Turns();

/**
 * Resolves when a handler may continue. Long reads wait for a turn before each part, so that other calls run in
 * between.
 */
export const nextTurn = (): Promise<void> => turns.next();

export function unaryHandler<Request, Response>(
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
 * Streams the responses of an async generator as fast as the client reads. The next response is requested when the
 * previous response has been sent, so only one response is in memory for a slow client. All streams together produce
 * one response per turn of the event loop, so that many large streams do not delay other calls. If the client reads
 * nothing for `stallMs`, the call ends with an error and the generator returns.
 */
export function streamHandler<Request, Response>(
  log: Logger,
  produce: (
    request: Request,
    signal: AbortSignal,
    call: ServerWritableStream<Request, Response>,
  ) => AsyncIterable<Response>,
  stallMs = STALL_MS,
): (call: ServerWritableStream<Request, Response>) => void {
  return (call) => {
    const ended = new AbortController();
    call.on('cancelled', () => ended.abort());
    call.on('close', () => ended.abort());
    call.on('error', () => ended.abort());
    (async () => {
      await nextTurn();
      for await (const response of produce(call.request, ended.signal, call)) {
        if (ended.signal.aborted) return;
        const stalled = new OverloadedError(`the client read nothing from ${call.getPath()} for ${stallMs} ms`);
        await within(stallMs, stalled, sent(call, response, ended.signal));
        await nextTurn();
      }
      call.end();
    })().catch((error) => {
      if (!ended.signal.aborted) call.emit('error', statusOf(error, log));
    });
  };
}

/** Resolves once the response is sent, or the call has ended. */
function sent<Request, Response>(
  call: ServerWritableStream<Request, Response>,
  response: Response,
  ended: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      ended.removeEventListener('abort', done);
      resolve();
    };
    ended.addEventListener('abort', done);
    call.write(response, done);
  });
}
