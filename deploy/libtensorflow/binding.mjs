import { cpSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CommandError, runQuietly } from '../setup/run-quietly.mjs';
import { cachedFolder } from './cache.mjs';
import { layOutDeps } from './layout.mjs';
import { findNodeGyp, findNodeHeaders } from './node-gyp.mjs';

export const ADDON = 'tfjs_binding.node';
const BUILD_LIMIT_MS = 20 * 60_000;

/**
 * The newest N-API that both the package and this Node have; the package's loader looks in `lib/napi-v<N>`.
 * @param {readonly number[]} offered by the package
 * @param {number} here
 */
export function napiVersion(offered, here) {
  const common = offered.filter((version) => version <= here);
  if (common.length === 0)
    throw new Error(`the binding needs N-API ${Math.min(...offered)}, and this Node has ${here}`);
  return Math.max(...common);
}

/**
 * Compiles the binding from the package's own source against a libtensorflow, once.
 * @param {{packageRoot: string, layout: import('./layout.mjs').Layout, key: string, cache: string}} options `key`: of
 * the libtensorflow
 * @param {(line: string) => void} say
 * @returns {Promise<{path: string, napi: number}>}
 */
export async function buildBinding({ packageRoot, layout, key, cache }, say) {
  const { version, binary } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
  const napi = napiVersion(binary.napi_versions, Number(process.versions.napi));
  const place = join(cache, 'bindings', `${key}-tfjs-${version}-napi-v${napi}`);
  const { path, made } = await cachedFolder(place, async (folder) => {
    say(`binding: node-gyp on the source of @tensorflow/tfjs-node ${version} ...`);
    await compile(packageRoot, layout, napi, folder);
  });
  if (!made) say(`binding: at ${path}`);
  return { path: join(path, ADDON), napi };
}

async function compile(packageRoot, layout, napi, folder) {
  const stage = join(folder, 'stage');
  mkdirSync(stage);
  for (const name of ['binding.gyp', 'binding', 'package.json'])
    cpSync(join(packageRoot, name), join(stage, name), { recursive: true });
  layOutDeps(layout, join(stage, 'deps'));
  const headers = findNodeHeaders(process.execPath);
  const variables = [
    '--module_name=tfjs_binding',
    `--module_path=${join(stage, 'out')}`,
    `--napi_build_version=${napi}`,
  ];
  try {
    await runQuietly(
      process.execPath,
      [
        findNodeGyp(process.env, process.execPath),
        'rebuild',
        ...(headers === undefined ? [] : [`--nodedir=${headers}`]),
        ...variables,
      ],
      { cwd: stage, limitMs: BUILD_LIMIT_MS },
    );
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const needs = 'a C++ compiler, make and python3 (Debian: apt-get install g++ make python3)';
    throw new Error(`the binding could not be built; it needs ${needs}\n${error.message}`);
  }
  renameSync(join(stage, 'out', ADDON), join(folder, ADDON));
  rmSync(stage, { recursive: true });
}
