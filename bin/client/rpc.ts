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

/** The maximum number of times that a broken stream is read again from its start. */
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
 * Makes a server-streaming call. The call is cancelled when the caller stops the iteration, or when the signal is
 * aborted. The signal ends the iteration without an error.
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
 * The same as `stream`, for calls that change nothing. If there are several coordinators, and the stream breaks after
 * its first message, the stream is read again from its start, up to five times. A takeover by a standby therefore does
 * not end the call.
 * @param onRestart called before each restart. The caller must discard the received messages, or skip them when they
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
      // If no message has been received, the channel has already repeated the call.
      const mayRestart = hasReceived && connection.hasStandbys && restarts < MAX_RESTARTS;
      if (!(error instanceof UnreachableError) || !mayRestart) throw error;
      await onRestart();
    }
  }
}

/**
 * Makes a call, and repeats it while the coordinator is unreachable. With one coordinator, the call is repeated up to
 * three times. With several coordinators, it is repeated until LEADER_WAIT_MS have passed since the first attempt. The
 * call must be safe to repeat. For example, its request contains the same request_id each time, so that the coordinator
 * executes the request once.
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
