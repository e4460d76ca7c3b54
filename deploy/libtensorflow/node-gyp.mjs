import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * The node-gyp that npm brings: the one npm names to its scripts, else that of the npm beside this Node.
 * @param {NodeJS.ProcessEnv} env
 * @param {string} execPath of Node
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
    ownNodeGyp(execPath),
  ];
  const found = candidates.find((path) => path !== undefined && existsSync(path));
  if (found === undefined) throw new Error('node-gyp was not found: run this with npm (npm run setup:native)');
  return found;
}

/** One that is installed where Node looks for global modules. */
function ownNodeGyp(execPath) {
  try {
    return createRequire(execPath).resolve('node-gyp/bin/node-gyp.js');
  } catch {
    return undefined;
  }
}

/**
 * Node's headers, where they are installed with it; without them node-gyp downloads them.
 * @param {string} execPath
 * @returns {string | undefined} for node-gyp's --nodedir
 */
export function findNodeHeaders(execPath) {
  const prefix = dirname(dirname(execPath));
  return existsSync(join(prefix, 'include/node/node_api.h')) ? prefix : undefined;
}
