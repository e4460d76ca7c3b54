import { realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { messageOf } from '../setup/common.mjs';
import { sha256, sha256OfFile } from '../setup/download.mjs';
import { cachedFolder } from './cache.mjs';
import { fetchOfficial, fetchWheel, unpackArchive, unpackWheel } from './fetch.mjs';
import { libraryLayout } from './layout.mjs';
import { OFFICIAL, WHEEL } from './pinned.mjs';

/**
 * A source of libtensorflow: either a folder that is used in place, or a function that fills a folder of the cache.
 * @typedef {{title: string, key: string} & (
 *   {folder: string, fill?: undefined} | {folder?: undefined, fill: (folder: string) => Promise<void>})} Source
 * `title` is shown to the user; `key` identifies the library in the cache
 */

/**
 * The downloads with their checksums.
 * @typedef {{official: typeof OFFICIAL, wheel: typeof WHEEL}} Pinned
 */

/**
 * Returns the sources in the order in which they are tried: only `from` if it is set, otherwise TensorFlow's own
 * release and then the wheel from a Python registry.
 * @param {{from?: string, variant: import('./pinned.mjs').Variant}} options
 * @param {Pinned} [pinned]
 * @returns {Promise<readonly Source[]>}
 */
export async function sourcesFor({ from, variant }, { official, wheel } = { official: OFFICIAL, wheel: WHEEL }) {
  if (from !== undefined) return [await givenSource(from)];
  return [
    {
      title: `TensorFlow's own release ${official.version}`,
      key: `${official.version}-${variant}-official`,
      fill: (folder) => fetchOfficial(folder, variant, official),
    },
    {
      title: `the wheel ${variant === 'cpu' ? 'tensorflow-cpu' : 'tensorflow'} ${wheel.version}`,
      key: `${wheel.version}-${variant}-wheel`,
      fill: (folder) => fetchWheel(folder, variant, wheel),
    },
  ];
}

/**
 * @param {string} from
 * @returns {Promise<Source>}
 * @throws {Error} if the path does not exist or has no libtensorflow
 */
async function givenSource(from) {
  const stat = statSync(from, { throwIfNoEntry: false });
  if (stat === undefined) throw new Error(`${from} does not exist`);
  const path = realpathSync(from);
  if (stat.isDirectory()) {
    const { lib, main } = libraryLayout(path);
    // The key depends on the size and the time of the library, because another version at the same path needs a new
    // binding.
    const { size, mtimeMs } = statSync(join(lib, main));
    return { title: path, key: `given-${sha256(`${path} ${size} ${mtimeMs}`).slice(0, 16)}`, folder: path };
  }
  const unpack = /\.whl$/.test(path) ? unpackWheel : /\.(tar\.gz|tgz)$/.test(path) ? unpackArchive : undefined;
  if (unpack === undefined) throw new Error(`${from} is not a folder, a .whl or a .tar.gz`);
  const key = `given-${(await sha256OfFile(path)).slice(0, 16)}`;
  return { title: basename(path), key, fill: (folder) => unpack(path, folder) };
}

/**
 * Returns the first source that is a folder or is in the cache. If there is none, fills the cache from the first source
 * that is available, and logs each source that fails.
 * @param {readonly Source[]} sources
 * @param {string} cache
 * @param {(line: string) => void} log
 * @returns {Promise<{source: Source, folder: string}>}
 * @throws {Error} with each source and the reason why it failed
 */
export async function obtain(sources, cache, log) {
  /** @param {Source} source */
  const folderOf = (source) => source.folder ?? join(cache, source.key);
  const present = sources.find((source) => statSync(folderOf(source), { throwIfNoEntry: false })?.isDirectory());
  if (present !== undefined) {
    log(`libtensorflow: ${present.title}, at ${folderOf(present)}`);
    return { source: present, folder: folderOf(present) };
  }
  const failures = [];
  for (const source of sources) {
    if (source.fill === undefined) continue;
    log(`libtensorflow: ${source.title} ...`);
    try {
      const { path } = await cachedFolder(folderOf(source), source.fill);
      return { source, folder: path };
    } catch (error) {
      const line = `${source.title}: ${messageOf(error)}`;
      log(`libtensorflow: ${line.split('\n', 1)[0]}`);
      failures.push(`  - ${line}`);
    }
  }
  throw new Error(
    [
      'no libtensorflow is available. Tried:',
      ...failures,
      'Provide one with --from PATH: a folder with lib/ and include/, a .tar.gz of such a folder, a tensorflow wheel, or',
      'the folder `tensorflow` of a Python installation.',
    ].join('\n'),
  );
}
