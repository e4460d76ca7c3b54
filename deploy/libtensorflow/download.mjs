import { createHash } from 'node:crypto';
import { createWriteStream, rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Without any byte for so long the download is given up; a slow line that moves may take its time. */
const STALL_LIMIT_MS = 15_000;

/**
 * Downloads into a file and checks it; a file that is not the expected one is removed.
 * @param {string} url
 * @param {string} path
 * @param {string} sha256
 * @throws {Error} one line: not reached, or another checksum
 */
export async function download(url, path, sha256) {
  const found = await fetchInto(url, path);
  if (found === sha256) return;
  rmSync(path);
  throw new Error(`${url} has SHA-256 ${found}, expected ${sha256}; it was not used`);
}

async function fetchInto(url, path) {
  const abort = new AbortController();
  const stalled = () => abort.abort(new Error(`no answer for ${STALL_LIMIT_MS / 1000} s`));
  let limit = setTimeout(stalled, STALL_LIMIT_MS);
  const hash = createHash('sha256');
  try {
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`);
    const watched = async function* (chunks) {
      for await (const chunk of chunks) {
        clearTimeout(limit);
        limit = setTimeout(stalled, STALL_LIMIT_MS);
        hash.update(chunk);
        yield chunk;
      }
    };
    await pipeline(Readable.fromWeb(response.body), watched, createWriteStream(path));
    return hash.digest('hex');
  } catch (error) {
    throw new Error(`${url} cannot be fetched (${error.cause?.code ?? error.cause?.message ?? error.message})`);
  } finally {
    clearTimeout(limit);
  }
}
