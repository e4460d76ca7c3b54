/** Makes gRPC calls as promises and async iterables, with error messages for the user. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CallOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { UnreachableError } from '../../proto/errors.ts';
import { type Connection, LEADER_WAIT_MS } from './connect.ts';
import { explainCallError } from './rpc-errors.ts';

/** Deadline of a unary call, in milliseconds. */
const UNARY_DEADLINE_MS = 15_000;

/**
 * Deadline, in milliseconds, of a call that can change many trials. The coordinator stores every change before it
 * answers.
 */
export const LARGE_CHANGE_DEADLINE_MS = 60_000;

/** If a stream breaks, it is read again from its start. After this many repetitions, the next break is an error. */
const MAX_RESTARTS = 5;

const RETRY_DELAYS_MS = [200, 500, 1_000];

type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

type Streaming<Request, Response> = (
  request: Request,
  metadata?: Metadata,
  options?: Partial<CallOptions>,
) => ClientReadableStream<Response>;

/** Makes a unary call: `unary(connection, connection.client.getSweep, { sweep })`. */
export function unary<Request, Response>(
  connection: Connection,
  method: Unary<Request, Response>,
  request: Request,
  deadlineMs = UNARY_DEADLINE_MS,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    method.call(
      connection.client,
      request,
      new Metadata(),
      { deadline: Date.now() + deadlineMs },
      (error, response) => {
        if (error === null) resolve(response);
        else void explainCallError(error, connection).then(reject, reject);
      },
    );
  });
}

/**
 * Makes a server-streaming call. The call is cancelled when the caller leaves the loop, or when the signal is aborted.
 * The signal ends the loop without an error.
 */
export async function* stream<Request, Response>(
  connection: Connection,
  method: Streaming<Request, Response>,
  request: Request,
  signal?: AbortSignal,
): AsyncGenerator<Response, void, void> {
  if (signal?.aborted) return;
  const call = method.call(connection.client, request);
  const cancel = () => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  // A cancelled call emits an error after the loop has ended. Without a listener, this error would end the process.
  call.on('error', () => {});
  try {
    for await (const response of call) yield response as Response;
  } catch (error) {
    if (!signal?.aborted) throw await explainCallError(error, connection);
  } finally {
    signal?.removeEventListener('abort', cancel);
    call.cancel();
  }
}

/**
 * Makes a server-streaming call that only reads, as `stream` does. With several coordinators, a stream that breaks after
 * some messages is read again from its start, up to five times, so that it outlasts a takeover.
 * @param onRestart called before each repetition. The caller must discard the received messages, or skip them when they
 * arrive again
 */
export async function* restartingStream<Request, Response>(
  connection: Connection,
  method: Streaming<Request, Response>,
  request: Request,
  onRestart: () => void | Promise<void>,
  signal?: AbortSignal,
): AsyncGenerator<Response, void, void> {
  for (let restarts = 0; ; restarts++) {
    let hasReceived = false;
    try {
      for await (const response of stream(connection, method, request, signal)) {
        hasReceived = true;
        yield response;
      }
      return;
    } catch (error) {
      // A call without an answer has already been repeated by the channel.
      const mayRestart = hasReceived && connection.hasStandbys && restarts < MAX_RESTARTS;
      if (!(error instanceof UnreachableError) || !mayRestart) throw error;
      await onRestart();
    }
  }
}

/**
 * Makes a call, and repeats it while the coordinator is unreachable: up to three times or, with several coordinators,
 * until LEADER_WAIT_MS have passed since the first attempt. The call must be safe to repeat: for example, its request
 * carries the same request_id each time, so that the coordinator executes the request once.
 */
export async function retryUnreachable<T>(
  connection: Pick<Connection, 'hasStandbys'>,
  call: () => Promise<T>,
): Promise<T> {
  const begun = performance.now();
  for (let failures = 0; ; failures++) {
    try {
      return await call();
    } catch (error) {
      const mayRepeat = connection.hasStandbys
        ? performance.now() - begun < LEADER_WAIT_MS
        : failures < RETRY_DELAYS_MS.length;
      if (!(error instanceof UnreachableError) || !mayRepeat) throw error;
      await sleep(RETRY_DELAYS_MS[failures] ?? RETRY_DELAYS_MS.at(-1));
    }
  }
}
