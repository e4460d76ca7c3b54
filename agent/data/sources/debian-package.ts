/** A Debian package, downloaded and unpacked into a temporary folder: needs no root, and installs nothing. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzippedIn } from './installed-folder.ts';
import type { Source } from './source.ts';

const run = promisify(execFile);

/** For the whole download of some 30 MB; an archive that does not answer is given up after CONNECT_SECONDS. */
const DOWNLOAD_MS = 180_000;
const CONNECT_SECONDS = 10;
const UNPACK_MS = 60_000;

/** @param folder of the gzipped files, within the package. */
export function debianPackage(name: string, folder: string): Source {
  return {
    name: `Debian's package ${name}`,
    open: async (use) => {
      const temporary = await mkdtemp(join(tmpdir(), 'trawl-dataset-'));
      try {
        await download(name, temporary);
        return await use(gzippedIn(join(temporary, folder)));
      } finally {
        await rm(temporary, { recursive: true, force: true });
      }
    },
  };
}

async function download(name: string, into: string): Promise<void> {
  const limits = ['http', 'https'].flatMap((scheme) => ['-o', `Acquire::${scheme}::Timeout=${CONNECT_SECONDS}`]);
  await run('apt-get', ['download', '-q', '-o', 'Acquire::Retries=0', ...limits, name], {
    cwd: into,
    timeout: DOWNLOAD_MS,
  });
  const archive = (await readdir(into)).find((file) => file.endsWith('.deb'));
  if (archive === undefined) throw new Error(`apt-get download left no .deb of ${name}`);
  await run('dpkg-deb', ['-x', join(into, archive), into], { timeout: UNPACK_MS });
}
