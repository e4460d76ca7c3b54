import { createHash } from 'node:crypto';
import { createReadStream, realpathSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { cachedFolder } from './cache.mjs';
import { layoutOf } from './layout.mjs';
import { fetchOfficial, unpackArchive } from './official.mjs';
import { OFFICIAL, WHEEL } from './pinned.mjs';
import { fetchWheel, unpackWheel } from './wheel.mjs';

/**
 * Something that a libtensorflow can come from.
 * @typedef {object} Source
 * @property {string} title for a person
 * @property {string} key names what it gives, in the cache; a different library has a different key
 * @property {string} [folder] it is used where it lies
 * @property {(folder: string) => Promise<void>} [fill] puts it into a folder
 */

/**
 * Where to look, in that order: only what is given, else TensorFlow's own release, then the wheel of a Python registry.
 * @param {{from?: string, variant: import('./pinned.mjs').Variant}} options
 * @param {{official: typeof OFFICIAL, wheel: typeof WHEEL}} [pinned]
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

/** @throws {Error} when there is nothing of use at that path */
async function givenSource(from) {
  const stat = statSync(from, { throwIfNoEntry: false });
  if (stat === undefined) throw new Error(`${from} does not exist`);
  const path = realpathSync(from);
  if (stat.isDirectory()) {
    const { lib, main } = layoutOf(path);
    // Another version in the same place needs a binding of its own.
    const { size, mtimeMs } = statSync(join(lib, main));
    const key = createHash('sha256').update(`${path} ${size} ${mtimeMs}`).digest('hex').slice(0, 16);
    return { title: path, key: `given-${key}`, folder: path };
  }
  const unpack = /\.whl$/.test(path) ? unpackWheel : /\.(tar\.gz|tgz)$/.test(path) ? unpackArchive : undefined;
  if (unpack === undefined) throw new Error(`${from} is no folder, no .whl and no .tar.gz`);
  const key = `given-${(await sha256Of(path)).slice(0, 16)}`;
  return { title: basename(path), key, fill: (folder) => unpack(path, folder) };
}

async function sha256Of(path) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

/**
 * The first source that gives something; what is in the cache is taken before anything is fetched. Each that is passed
 * over gets a line.
 * @param {readonly Source[]} sources
 * @param {string} cache
 * @param {(line: string) => void} say
 * @returns {Promise<{source: Source, folder: string}>}
 * @throws {Error} with what was tried, and why it gave nothing
 */
export async function obtain(sources, cache, say) {
  const place = (source) => source.folder ?? join(cache, source.key);
  const there = sources.find((source) => statSync(place(source), { throwIfNoEntry: false })?.isDirectory());
  if (there !== undefined) {
    say(`libtensorflow: ${there.title}, at ${place(there)}`);
    return { source: there, folder: place(there) };
  }
  const passed = [];
  for (const source of sources) {
    say(`libtensorflow: ${source.title} ...`);
    try {
      const { path } = await cachedFolder(place(source), source.fill);
      return { source, folder: path };
    } catch (error) {
      const line = `${source.title}: ${error.message}`;
      say(`libtensorflow: ${line.split('\n', 1)[0]}`);
      passed.push(`  - ${line}`);
    }
  }
  throw new Error(
    [
      'no libtensorflow could be had. Tried:',
      ...passed,
      'Give one with --from PATH: a folder with lib/ and include/, a .tar.gz of it, a tensorflow wheel, or the folder',
      '`tensorflow` of a Python installation.',
    ].join('\n'),
  );
}
