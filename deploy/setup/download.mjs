import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, messageOf } from './common.mjs';

/** A transfer fails after this time without data. A slow transfer that makes progress has no time limit. */
const STALL_LIMIT_MS = 15_000;
const RETRY_DELAYS_MS = [500, 2_000];

/**
 * Returns the SHA-256 of the concatenated pieces, in hexadecimal.
 * @param {...(string | Uint8Array)} pieces
 */
export function sha256(...pieces) {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

/**
 * Returns the SHA-256 of a file, in hexadecimal.
 * @param {string} path
 */
export async function sha256OfFile(path) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

/**
 * Downloads a URL into a file and verifies its checksum. Retries if the transfer was interrupted, and after HTTP 5xx or
 * 429. Removes a file with the wrong checksum.
 * @param {string} url
 * @param {string} path
 * @param {string} expected SHA-256 in hexadecimal
 * @throws {Error} with a message of one line, if the URL could not be fetched or the checksum differs
 */
export async function download(url, path, expected) {
  await fetchWithRetries(url, path);
  const found = await sha256OfFile(path);
  if (found === expected) return;
  rmSync(path);
  throw new Error(`${url} has SHA-256 ${found}, expected ${expected}; the file was discarded`);
}

/**
 * @param {string} url
 * @param {string} path
 */
async function fetchWithRetries(url, path) {
  for (const delayMs of [...RETRY_DELAYS_MS, undefined]) {
    const failure = await fetchInto(url, path);
    if (failure === null) return;
    if (!failure.retryable || delayMs === undefined) throw new Error(`could not fetch ${url} (${failure.reason})`);
    await sleep(delayMs);
  }
}

/**
 * @param {string} url
 * @param {string} path
 * @returns {Promise<{reason: string, retryable: boolean} | null>} the failure, or null
 */
async function fetchInto(url, path) {
  const abort = new AbortController();
  let receivedBytes = 0;
  const onStall = () => abort.abort(new Error(`no data for ${STALL_LIMIT_MS / 1000} s`));
  let stallTimer = setTimeout(onStall, STALL_LIMIT_MS);
  try {
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok || response.body === null) {
      return { reason: `HTTP ${response.status}`, retryable: response.status >= 500 || response.status === 429 };
    }
    await pipeline(
      Readable.fromWeb(response.body),
      /** @param {AsyncIterable<Uint8Array>} chunks */
      async function* (chunks) {
        for await (const chunk of chunks) {
          clearTimeout(stallTimer);
          stallTimer = setTimeout(onStall, STALL_LIMIT_MS);
          receivedBytes += chunk.length;
          yield chunk;
        }
      },
      createWriteStream(path),
    );
    return null;
  } catch (error) {
    // Retries only if data was received. If the host cannot be reached, setup tries the next source instead.
    return { reason: reasonOf(error), retryable: receivedBytes > 0 };
  } finally {
    clearTimeout(stallTimer);
  }
}

/**
 * Returns the reason for a failed fetch. fetch() reports every network error as "fetch failed", and the reason is in
 * the cause of this error.
 * @param {unknown} error
 */
function reasonOf(error) {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return codeOf(cause) ?? messageOf(cause);
}
