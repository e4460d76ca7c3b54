/**
 * Transfers files straight between this machine and a remote artifact store, through presigned URLs. The URLs come from
 * the coordinator, and permit one request each. A URL is a secret until it expires, so it is never logged.
 */
import { createReadStream } from 'node:fs';
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { pipeline } from 'node:stream/promises';

/** The time without progress after which a transfer fails. */
const IDLE_MS = 20_000;
/** The time for which files pass through the coordinator after a failed direct transfer. */
const CLOSED_MS = 5 * 60_000;
/** The number of characters of an error response that the message quotes. */
const MAX_ERROR_CHARACTERS = 300;

/** Thrown if the store cannot be reached or rejects a request. The file can still pass through the coordinator. */
export class DirectTransferError extends Error {}

/** A part of a file, and the request that sends it. */
export interface DirectPart {
  readonly start: number;
  readonly size: number;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Sends a part of a file.
 * @param onSent called with the number of bytes of each chunk that was handed to the network
 * @throws {DirectTransferError} if the store cannot be reached or rejects the request
 * @throws {NodeJS.ErrnoException} if the file cannot be read
 */
export async function sendDirectly(
  path: string,
  { start, size, url, headers }: DirectPart,
  onSent: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const { request, answer } = begin(url, { method: 'PUT', headers: { ...headers }, signal });
  // Prevents an unhandled rejection, because the promise is awaited only after the whole file is sent.
  answer.catch(() => {});
  if (size === 0) request.end();
  else {
    const file = createReadStream(path, { start, end: start + size - 1 });
    const whole = async function* (chunks: AsyncIterable<Buffer>) {
      let sent = 0;
      for await (const chunk of chunks) {
        sent += chunk.length;
        onSent(chunk.length);
        yield chunk;
      }
      if (sent < size) throw new DirectTransferError(`the file ${path} is shorter than announced`);
    };
    try {
      await pipeline(file, whole, request);
    } catch (error) {
      if (error instanceof DirectTransferError || (file.errored !== null && error === file.errored)) throw error;
      // If the store closed the connection, its answer gives the reason. A store can also confirm the whole part, and
      // close the connection before the request has noticed that it is complete.
    }
  }
  await check(await answer);
}

/**
 * Reads a file from `offset` to its end.
 * @throws {DirectTransferError} if the store cannot be reached or rejects the request
 */
export async function* readDirectly(url: string, offset: number, signal?: AbortSignal): AsyncGenerator<Buffer> {
  const headers: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
  const { request, answer } = begin(url, { method: 'GET', headers, ...(signal === undefined ? {} : { signal }) });
  request.end();
  const message = await answer;
  if (message.statusCode !== (offset === 0 ? 200 : 206)) await check(message, false);
  try {
    for await (const chunk of message) yield chunk as Buffer;
  } catch (error) {
    throw failed(url, error);
  } finally {
    message.destroy();
  }
}

function begin(url: string, options: RequestOptions) {
  const { protocol } = new URL(url);
  const request = (protocol === 'https:' ? requestHttps : requestHttp)(url, options);
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    request.on('response', resolve);
    request.on('error', (error) => reject(failed(url, error)));
    request.setTimeout(IDLE_MS, () => request.destroy(new Error(`no data for ${IDLE_MS / 1000} s`)));
  });
  return { request, answer };
}

async function check(message: IncomingMessage, mayBeSuccess = true): Promise<void> {
  const { statusCode = 0 } = message;
  let text = '';
  for await (const chunk of message.setEncoding('utf8')) if (text.length < MAX_ERROR_CHARACTERS) text += chunk;
  if (mayBeSuccess && statusCode >= 200 && statusCode < 300) return;
  const code = /<Code>([\w.]{1,60})<\/Code>/.exec(text)?.[1];
  throw new DirectTransferError(`the artifact store rejected a presigned request (${code ?? statusCode})`);
}

/** Returns the error of a failed transfer. Its message has the host only, because the query of the URL is a secret. */
function failed(url: string, error: unknown): DirectTransferError {
  if (error instanceof DirectTransferError) return error;
  const reason =
    error instanceof Error && 'code' in error ? `${error.code}` : error instanceof Error ? error.message : '';
  return new DirectTransferError(`could not transfer a file directly to or from ${new URL(url).host}: ${reason}`, {
    cause: error,
  });
}

/**
 * The direct path between one agent and the artifact store. After a failed transfer, the path is closed for some time,
 * and files pass through the coordinator.
 */
export class DirectPath {
  #closedUntil = Number.NEGATIVE_INFINITY;

  get isOpen(): boolean {
    return performance.now() >= this.#closedUntil;
  }

  close(): void {
    this.#closedUntil = performance.now() + CLOSED_MS;
  }

  /** See readDirectly. After a failed transfer, `isOpen` is false for some time. */
  async *read(url: string): AsyncGenerator<Buffer> {
    try {
      yield* readDirectly(url, 0);
    } catch (error) {
      if (error instanceof DirectTransferError) this.close();
      throw error;
    }
  }
}
