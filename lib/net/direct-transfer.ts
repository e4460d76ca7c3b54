/**
 * Transfers files directly between this machine and a remote artifact store, with presigned URLs. The URLs come from
 * the coordinator, and permit one request each. A URL is a secret until it expires, so it is never logged.
 */
import { createReadStream } from 'node:fs';
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { pipeline } from 'node:stream/promises';

/** By default, a transfer fails after this time without progress. */
const IDLE_MS = 20_000;
/** After a failed direct transfer, files are transferred through the coordinator for this time. */
const CLOSED_MS = 5 * 60_000;
/** Once this many characters of an error response have been read, the rest of the response is ignored. */
const MAX_ERROR_CHARACTERS = 300;

/**
 * Thrown if a direct transfer fails, for example because the store cannot be reached or rejects a request. The file can
 * still be transferred through the coordinator.
 */
export class DirectTransferError extends Error {}

/** A part of a file, and the request that sends it. */
export interface DirectPart {
  readonly start: number;
  readonly size: number;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface TransferOptions {
  /** When this signal is aborted, the transfer fails with a DirectTransferError. */
  readonly signal?: AbortSignal;
  /** The transfer fails after this time without progress, in milliseconds. Default: 20,000. */
  readonly idleMs?: number;
}

export interface SendOptions extends TransferOptions {
  /** Called with the size of each chunk in bytes, just before the chunk is handed to the network. */
  readonly onSent?: (bytes: number) => void;
}

/**
 * Sends a part of a file.
 * @throws {DirectTransferError} if the store cannot be reached or rejects the request, or the file is shorter than
 * announced
 * @throws {NodeJS.ErrnoException} if the file cannot be read
 */
export async function sendDirectly(
  path: string,
  { start, size, url, headers }: DirectPart,
  { onSent, ...options }: SendOptions = {},
): Promise<void> {
  const { request, answer } = begin(url, { method: 'PUT', headers: { ...headers } }, options);
  // The answer is read when it arrives, because a store can reject a request before the whole file is sent.
  const accepted = answer.then((message) => check(url, message));
  accepted.catch(() => request.destroy());
  if (size === 0) request.end();
  else {
    let readError: unknown;
    // If one stream of a pipeline fails, the pipeline destroys all its streams with the same error. The file is
    // therefore not a stream of the pipeline, and its errors are recorded separately, so that they can be distinguished
    // from errors of the connection.
    const chunks = async function* () {
      try {
        let sent = 0;
        for await (const chunk of createReadStream(path, { start, end: start + size - 1 })) {
          sent += chunk.length;
          onSent?.(chunk.length);
          yield chunk;
        }
        if (sent < size) throw new DirectTransferError(`the file ${path} is shorter than announced`);
      } catch (error) {
        readError = error;
        throw error;
      }
    };
    try {
      await pipeline(chunks, request);
    } catch {
      if (readError !== undefined) throw readError;
      // The connection failed, but only the answer of the store shows whether the part was stored. If the store
      // rejected the part, its answer contains the reason. A store can also confirm the part, and then close the
      // connection before the pipeline ends.
    }
  }
  await accepted;
}

/**
 * Reads a file from `offset` to its end.
 * @throws {DirectTransferError} if the store cannot be reached or rejects the request, or if the transfer ends early
 */
export async function* readDirectly(
  url: string,
  offset: number,
  options: TransferOptions = {},
): AsyncGenerator<Buffer> {
  const headers: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
  const { request, answer } = begin(url, { method: 'GET', headers }, options);
  request.end();
  const message = await answer;
  if (message.statusCode !== (offset === 0 ? 200 : 206)) await check(url, message, false);
  try {
    for await (const chunk of message) yield chunk as Buffer;
  } catch (error) {
    throw failed(url, error);
  } finally {
    message.destroy();
  }
}

function begin(url: string, options: RequestOptions, { signal, idleMs = IDLE_MS }: TransferOptions) {
  // From Node 24 on, a pipeline into a request whose signal was already aborted never ends.
  if (signal?.aborted) throw failed(url, signal.reason);
  const { protocol } = new URL(url);
  const send = protocol === 'https:' ? requestHttps : requestHttp;
  const request = send(url, signal === undefined ? options : { ...options, signal });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    let message: IncomingMessage | undefined;
    request.on('response', (response) => {
      message = response;
      resolve(response);
    });
    request.on('error', (error) => reject(failed(url, error)));
    request.setTimeout(idleMs, () => {
      const error = new Error(`no data for ${idleMs / 1000} s`);
      // Once the response has begun, its reader sees only errors of the response, so the response is destroyed with the
      // same error.
      message?.destroy(error);
      request.destroy(error);
    });
  });
  return { request, answer };
}

/**
 * Checks the status of a response whose body is not a file.
 * @throws {DirectTransferError} if the store rejected the request
 */
async function check(url: string, message: IncomingMessage, mayBeSuccess = true): Promise<void> {
  const { statusCode = 0 } = message;
  if (mayBeSuccess && statusCode >= 200 && statusCode < 300) return void message.resume();
  let text = '';
  try {
    for await (const chunk of message.setEncoding('utf8')) {
      text += chunk;
      if (text.length >= MAX_ERROR_CHARACTERS) break;
    }
  } catch (error) {
    throw failed(url, error);
  }
  const code = /<Code>([\w.]{1,60})<\/Code>/.exec(text)?.[1];
  throw new DirectTransferError(`the artifact store rejected a presigned request (${code ?? statusCode})`);
}

/** Returns the error of a failed transfer. The message has only the host of the URL, because the query is a secret. */
function failed(url: string, error: unknown): DirectTransferError {
  if (error instanceof DirectTransferError) return error;
  const isAborted = error instanceof Error && error.name === 'AbortError';
  const code = isAborted ? 'ABORT_ERR' : error instanceof Error && 'code' in error ? `${error.code}` : undefined;
  const reason = code ?? (error instanceof Error ? error.message : '');
  return new DirectTransferError(`could not transfer a file directly to or from ${new URL(url).host}: ${reason}`, {
    cause: error,
  });
}

/**
 * Tracks whether one agent transfers files directly to and from the artifact store. After a failed direct transfer,
 * `isOpen` is false for some time, and files are transferred through the coordinator.
 */
export class DirectPath {
  #closedUntil = Number.NEGATIVE_INFINITY;

  get isOpen(): boolean {
    return performance.now() >= this.#closedUntil;
  }

  close(): void {
    this.#closedUntil = performance.now() + CLOSED_MS;
  }

  /** Reads a whole file, like `readDirectly`. If the transfer fails, `isOpen` is false for some time. */
  async *read(url: string): AsyncGenerator<Buffer> {
    try {
      yield* readDirectly(url, 0);
    } catch (error) {
      if (error instanceof DirectTransferError) this.close();
      throw error;
    }
  }
}
