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
 * A record of the files that were added to the packages of a checkout, so that they can be restored after `npm ci`.
 * @typedef {object} Placement
 * @property {readonly string[]} packages names
 * @property {string} lib folder of the libraries
 * @property {string} binding path of the compiled binding
 * @property {number} napi
 */

/** @param {string} root */
const recordFile = (root) => join(root, '.trawl', 'libtensorflow.json');

/**
 * Returns the folder of a package in the checkout.
 * @param {string} root
 * @param {string} name
 */
export const packageFolder = (root, name) => join(root, 'node_modules', ...name.split('/'));

/**
 * Adds two things to each package: a copy of the binding, and the link `deps/lib` to the folder of the libraries. The
 * binding finds the libraries through this link. Records the placement.
 * @param {string} root the folder of the checkout
 * @param {Placement} placement
 */
export function placeLibrary(root, placement) {
  for (const name of placement.packages) placeInto(packageFolder(root, name), placement);
  mkdirSync(dirname(recordFile(root)), { recursive: true });
  writeFileSync(recordFile(root), `${JSON.stringify(placement, null, 2)}\n`);
}

/**
 * @param {string} folder
 * @param {Placement} placement
 */
function placeInto(folder, { lib, binding, napi }) {
  clear(folder);
  mkdirSync(join(folder, 'deps'));
  symlinkSync(lib, join(folder, 'deps', 'lib'));
  // The binding is added last, because a package with a binding is considered complete.
  mkdirSync(join(folder, 'lib', `napi-v${napi}`), { recursive: true });
  copyFileSync(binding, join(folder, 'lib', `napi-v${napi}`, ADDON));
}

/**
 * Removes the files that `placeLibrary` added, and their record. Called if the binding does not work, so that no worker
 * loads it.
 * @param {string} root
 * @param {Placement} placement
 */
export function removePlacement(root, { packages }) {
  rmSync(recordFile(root), { force: true });
  for (const name of packages) clear(packageFolder(root, name));
}

/** @param {string} folder */
function clear(folder) {
  for (const name of ['deps', 'lib', 'build']) rmSync(join(folder, name), { recursive: true, force: true });
}

/**
 * Restores the recorded placement after the packages were reinstalled, if the cache still has the libraries and the
 * binding.
 * @param {string} root
 * @returns {readonly string[]} the packages whose native files were restored
 */
export function restorePlacement(root) {
  if (!existsSync(recordFile(root))) return [];
  /** @type {Placement} */
  const placement = JSON.parse(readFileSync(recordFile(root), 'utf8'));
  if (!existsSync(placement.lib) || !existsSync(placement.binding)) return [];
  const missing = placement.packages.filter((name) => {
    const folder = packageFolder(root, name);
    return existsSync(folder) && !has(folder, placement);
  });
  for (const name of missing) placeInto(packageFolder(root, name), placement);
  return missing;
}

/**
 * @param {string} folder
 * @param {Placement} placement
 */
function has(folder, { lib, napi }) {
  const link = join(folder, 'deps', 'lib');
  if (!existsSync(link) || !existsSync(join(folder, 'lib', `napi-v${napi}`, ADDON))) return false;
  return realpathSync(link) === realpathSync(lib);
}

/**
 * Returns whether a package has a binding and libraries, no matter how they were added.
 * @param {string} root
 * @param {string} name
 */
export function isPlaced(root, name) {
  const folder = packageFolder(root, name);
  const lib = join(folder, 'lib');
  const hasBinding = existsSync(lib) && readdirSync(lib).some((each) => existsSync(join(lib, each, ADDON)));
  return hasBinding && existsSync(join(folder, 'deps', 'lib'));
}
