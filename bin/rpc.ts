/** Calls of a SweepServiceClient as promises and async iterables, with a person's errors. */
import {
  type CallOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import type { Connection } from './connect.ts';
import { explainCallError } from './rpc-errors.ts';

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
