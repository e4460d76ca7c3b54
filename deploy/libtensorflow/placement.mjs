import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { ADDON } from './binding.mjs';

/**
 * What this checkout was given, so that it can be put back after `npm ci` has removed it.
 * @typedef {object} Placement
 * @property {readonly string[]} packages names
 * @property {string} lib folder of the libraries
 * @property {string} binding path of the compiled binding
 * @property {number} napi
 */

const recordFile = (root) => join(root, '.trawl', 'libtensorflow.json');

/** The folder of a package in the checkout. */
export const packageRoot = (root, name) => join(root, 'node_modules', ...name.split('/'));

/**
 * Puts a libtensorflow and the binding into the packages: a link `deps/lib`, where the binding looks for its libraries,
 * and a copy of the binding. Writes down that it did.
 * @param {string} root the checkout
 * @param {Placement} placement
 */
export function place(root, placement) {
  for (const name of placement.packages) placeInto(packageRoot(root, name), placement);
  mkdirSync(dirname(recordFile(root)), { recursive: true });
  writeFileSync(recordFile(root), `${JSON.stringify(placement, null, 2)}\n`);
}

function placeInto(folder, { lib, binding, napi }) {
  clear(folder);
  mkdirSync(join(folder, 'deps'));
  symlinkSync(lib, join(folder, 'deps', 'lib'));
  // The binding last: with it the package counts as complete.
  mkdirSync(join(folder, 'lib', `napi-v${napi}`), { recursive: true });
  copyFileSync(binding, join(folder, 'lib', `napi-v${napi}`, ADDON));
}

/**
 * Takes out again what does not work, so that no worker tries to load it.
 * @param {string} root
 * @param {Placement} placement
 */
export function takeOut(root, { packages }) {
  rmSync(recordFile(root), { force: true });
  for (const name of packages) clear(packageRoot(root, name));
}

function clear(folder) {
  for (const name of ['deps', 'lib', 'build']) rmSync(join(folder, name), { recursive: true, force: true });
}

/**
 * Puts back what the checkout had before its packages were installed anew, if all of it is still in the cache.
 * @param {string} root
 * @returns {readonly string[]} the packages that were completed
 */
export function placeAgain(root) {
  if (!existsSync(recordFile(root))) return [];
  const placement = JSON.parse(readFileSync(recordFile(root), 'utf8'));
  if (!existsSync(placement.lib) || !existsSync(placement.binding)) return [];
  const missing = placement.packages.filter((name) => {
    const folder = packageRoot(root, name);
    return existsSync(folder) && !has(folder, placement);
  });
  for (const name of missing) placeInto(packageRoot(root, name), placement);
  return missing;
}

function has(folder, { lib, napi }) {
  const link = join(folder, 'deps', 'lib');
  if (!existsSync(link) || !existsSync(join(folder, 'lib', `napi-v${napi}`, ADDON))) return false;
  return realpathSync(link) === realpathSync(lib);
}

/** Whether a package has a native part, whoever put it there. */
export function isPlaced(root, name) {
  const folder = packageRoot(root, name);
  const lib = join(folder, 'lib');
  const bound = existsSync(lib) && readdirSync(lib).some((each) => existsSync(join(lib, each, ADDON)));
  return bound && existsSync(join(folder, 'deps', 'lib'));
}
