/** Gzipped files under a public URL. */
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Source } from './source.ts';

const decompress = promisify(gunzip);

/** For one file of at most 30 MB, from connecting to its last byte. */
const FETCH_MS = 120_000;

export function mirror(baseUrl: string): Source {
  return {
    name: baseUrl,
    open: (use) =>
      use(async (name, maxBytes) => {
        const response = await fetch(`${baseUrl}/${name}.gz`, { signal: AbortSignal.timeout(FETCH_MS) });
        if (!response.ok) throw new Error(`${name}.gz: HTTP ${response.status}`);
        return decompress(await response.arrayBuffer(), { maxOutputLength: maxBytes });
      }),
  };
}
