import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CallOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { UnreachableError } from '../../proto/errors.ts';
import type { Connection } from './connect.ts';
import { explainCallError } from './rpc-errors.ts';

/** Calls of a SweepServiceClient as promises and async iterables, with a person's errors. */

/** How long a single question may take. */
export const UNARY_DEADLINE_MS = 15_000;

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

/** One question, one answer: `unary(connection, connection.client.getSweep, { sweep })`. */
export function unary<Request, Response>(
  { client, address }: Connection,
  method: Unary<Request, Response>,
  request: Request,
  deadlineMs = UNARY_DEADLINE_MS,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    method.call(client, request, new Metadata(), { deadline: Date.now() + deadlineMs }, (error, response) => {
      if (error === null) resolve(response);
      else reject(explainCallError(error, address));
    });
  });
}

/** A stream of answers. Leaving the loop, or the signal, cancels the call; the signal ends the loop without an error. */
export async function* stream<Request, Response>(
  { client, address }: Connection,
  method: Streaming<Request, Response>,
  request: Request,
  signal?: AbortSignal,
): AsyncGenerator<Response, void, void> {
  if (signal?.aborted) return;
  const call = method.call(client, request);
  const cancel = () => call.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  // A cancelled call still says so when nobody is listening any more.
  call.on('error', () => {});
  try {
    for await (const response of call) yield response as Response;
  } catch (error) {
    if (!signal?.aborted) throw explainCallError(error, address);
  } finally {
    signal?.removeEventListener('abort', cancel);
    call.cancel();
  }
}

/** For a request that may change many trials: all of it is written before the answer. */
export const LARGE_CHANGE_DEADLINE_MS = 60_000;

/** Waits before the second and later tries of a coordinator that is not there, or went away before it answered. */
const WAITS_MS = [200, 500, 1_000];

/** Asks until there is an answer. What is asked must carry a request_id, the same each time: it is done once. */
export async function askAgain<T>(ask: () => Promise<T>): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      return await ask();
    } catch (error) {
      const wait = WAITS_MS[failures];
      if (!(error instanceof UnreachableError) || wait === undefined) throw error;
      await sleep(wait);
    }
  }
}
