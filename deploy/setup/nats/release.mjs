import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runQuietly } from '../run-quietly.mjs';
import { intoCache } from './cache.mjs';

/** The release that is fetched where nothing else serves. */
export const RELEASE = {
  version: '2.10.26',
  baseUrl: 'https://github.com/nats-io/nats-server/releases/download',
  /** SHA-256 of `nats-server-v<version>-<platform>.tar.gz`, from the release's SHA256SUMS. */
  sha256: {
    'linux-amd64': '6cbac67107e69c9e5a352d6f1555027f9da6a6b3fa81cceafefa9598b4451512',
    'linux-arm64': 'aba1b169f18d4441b4b5d760805c562dccc57b425a7a213a82753a2269a27235',
    'darwin-amd64': 'c90e94a1a9537304ab59f9056baca6a3138d17c13d7fe218ccbbd24ca08ee8e9',
    'darwin-arm64': 'b1e2fd61507703ee81b0b2c1c35894beeebf908ddc7a4a5b7928aca438f716e6',
  },
};

/** Without any byte for so long the download is given up; a slow line that moves may take its time. */
const STALL_LIMIT_MS = 15_000;

/** This machine in the words of the release's file names. */
export function releasePlatform(platform = process.platform, arch = process.arch) {
  return `${platform}-${arch === 'x64' ? 'amd64' : arch}`;
}

/**
 * Downloads the pinned release, checks it and unpacks the program into trawl's cache.
 * @param {string} bin of cacheBin
 * @param {{version: string, baseUrl: string, sha256: Record<string, string>}} [release]
 * @returns {Promise<string>} the program's path
 */
export async function downloadRelease(bin, release = RELEASE) {
  const platform = releasePlatform();
  const expected = release.sha256[platform];
  if (expected === undefined) throw new Error(`there is no pinned release for ${platform}`);
  const name = `nats-server-v${release.version}-${platform}`;
  const url = `${release.baseUrl}/v${release.version}/${name}.tar.gz`;
  return await intoCache(bin, async (folder) => {
    const bytes = await download(url);
    const found = createHash('sha256').update(bytes).digest('hex');
    if (found !== expected) throw new Error(`${url} has SHA-256 ${found}, expected ${expected}; it was not used`);
    const archive = join(folder, 'release.tar.gz');
    writeFileSync(archive, bytes);
    await runQuietly('tar', ['-xzf', archive, '-C', folder, `${name}/nats-server`]);
    return join(folder, name, 'nats-server');
  });
}

async function download(url) {
  const abort = new AbortController();
  const stalled = () => abort.abort(new Error(`no answer for ${STALL_LIMIT_MS / 1000} s`));
  let limit = setTimeout(stalled, STALL_LIMIT_MS);
  try {
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const chunks = [];
    for await (const chunk of response.body) {
      clearTimeout(limit);
      limit = setTimeout(stalled, STALL_LIMIT_MS);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    throw new Error(`${url} cannot be fetched (${error.cause?.code ?? error.cause?.message ?? error.message})`);
  } finally {
    clearTimeout(limit);
  }
}
