import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { CommandError, runQuietly } from '../setup/run.mjs';
import { cachedFolder } from './cache.mjs';
import { linkDeps } from './layout.mjs';

/** File name of the compiled binding. */
export const ADDON = 'tfjs_binding.node';
const BUILD_LIMIT_MS = 20 * 60_000;

/**
 * Returns the newest N-API version that both the package and this Node support. The loader of the package looks in
 * `lib/napi-v<N>`.
 * @param {readonly number[]} supported the versions that the package supports
 * @param {number} current the version of this Node
 */
export function napiVersion(supported, current) {
  const common = supported.filter((version) => version <= current);
  if (common.length === 0)
    throw new Error(`the binding needs N-API ${Math.min(...supported)}, but this Node has ${current}`);
  return Math.max(...common);
}

/**
 * Returns the package's binding for a libtensorflow library: from the cache, or else compiled from source.
 * @param {{packageRoot: string, layout: import('./layout.mjs').Layout, key: string, cache: string}} options
 * `key` identifies the libtensorflow library
 * @param {(line: string) => void} log
 * @returns {Promise<{path: string, napi: number}>}
 */
export async function buildBinding({ packageRoot, layout, key, cache }, log) {
  const { version, binary } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  const napi = napiVersion(binary.napi_versions, Number(process.versions.napi));
  const place = join(cache, 'bindings', `${key}-tfjs-${version}-napi-v${napi}`);
  const { path, made } = await cachedFolder(place, async (folder) => {
    log(`binding: building @tensorflow/tfjs-node ${version} from source with node-gyp ...`);
    await compile(packageRoot, layout, napi, folder);
  });
  if (!made) log(`binding: at ${path}`);
  return { path: join(path, ADDON), napi };
}

/**
 * @param {string} packageRoot
 * @param {import('./layout.mjs').Layout} layout
 * @param {number} napi
 * @param {string} folder
 */
async function compile(packageRoot, layout, napi, folder) {
  const stage = join(folder, 'stage');
  mkdirSync(stage);
  for (const name of ['binding.gyp', 'binding', 'package.json'])
    cpSync(join(packageRoot, name), join(stage, name), { recursive: true });
  linkDeps(layout, join(stage, 'deps'));
  const headers = findNodeHeaders(process.execPath);
  const args = [
    findNodeGyp(process.env, process.execPath),
    'rebuild',
    ...(headers === undefined ? [] : [`--nodedir=${headers}`]),
    '--module_name=tfjs_binding',
    `--module_path=${join(stage, 'out')}`,
    `--napi_build_version=${napi}`,
  ];
  try {
    await runQuietly(process.execPath, args, { cwd: stage, limitMs: BUILD_LIMIT_MS });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const needs = 'a C++ compiler, make and python3 (Debian: apt-get install g++ make python3)';
    throw new Error(`could not build the binding; this needs ${needs}\n${error.message}`);
  }
  renameSync(join(stage, 'out', ADDON), join(folder, ADDON));
  rmSync(stage, { recursive: true });
}

/**
 * Finds the node-gyp that npm passes to its scripts, or else the node-gyp of the npm that is installed with this Node.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} execPath path of the Node executable
 * @returns {string} path of node-gyp.js
 * @throws {Error}
 */
export function findNodeGyp(env, execPath) {
  const prefix = dirname(dirname(execPath));
  const candidates = [
    env.npm_config_node_gyp,
    ...['lib/node_modules', 'node_modules', 'share/nodejs'].map((folder) =>
      join(prefix, folder, 'npm/node_modules/node-gyp/bin/node-gyp.js'),
    ),
    globalNodeGyp(execPath),
  ];
  const found = candidates.find((path) => path !== undefined && existsSync(path));
  if (found === undefined) throw new Error('node-gyp was not found: run this with npm (npm run setup:native)');
  return found;
}

/**
 * Finds node-gyp among the global modules of Node.
 * @param {string} execPath
 */
function globalNodeGyp(execPath) {
  try {
    return createRequire(execPath).resolve('node-gyp/bin/node-gyp.js');
  } catch {
    return undefined;
  }
}

/**
 * Finds Node's headers if they are installed with Node. Otherwise node-gyp downloads the headers.
 * @param {string} execPath
 * @returns {string | undefined} the folder to pass to node-gyp as --nodedir
 */
export function findNodeHeaders(execPath) {
  const prefix = dirname(dirname(execPath));
  return existsSync(join(prefix, 'include/node/node_api.h')) ? prefix : undefined;
}
