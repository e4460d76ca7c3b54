/** @import { LockedPackage } from './dependencies.mjs' */

const OS = ['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const CPU = ['arm64', 'arm', 'armv7', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];

/**
 * Returns a lock entry for each optional package that is missing from a lock file, keyed by the path of the package.
 *
 * npm omits an optional package from package-lock.json if the registry in use does not have it (for example, a mirror
 * that holds only the binaries of this platform). `npm ci` then rejects this lock file on every machine. The returned
 * entries have no checksums, because their packages were not available.
 * @param {{packages: Record<string, Partial<LockedPackage>>}} lock
 * @returns {Record<string, object>}
 */
export function missingPlatformPackages(lock) {
  /** @type {Record<string, object>} */
  const missing = {};
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      if (path !== '' && !isLocked(lock, path, name)) missing[`node_modules/${name}`] = entryOf(name, range, entry.dev);
    }
  }
  return missing;
}

/**
 * Returns whether the lock file has a package at a path where Node looks for it: in the node_modules folder of the
 * dependent package, or in an enclosing node_modules folder.
 * @param {{packages: Record<string, Partial<LockedPackage>>}} lock
 * @param {string} from path of the dependent package
 * @param {string} name
 */
function isLocked(lock, from, name) {
  const folders = from.split('/node_modules/');
  return (
    folders.some((_, depth) => {
      const folder = folders.slice(0, folders.length - depth).join('/node_modules/');
      return lock.packages[`${folder}/node_modules/${name}`] !== undefined;
    }) || lock.packages[`node_modules/${name}`] !== undefined
  );
}

/**
 * Returns the lock entry of a package. Derives the platform from the name of the package, such as
 * `@rollup/rollup-linux-x64-musl`.
 * @param {string} name
 * @param {string} range
 * @param {boolean | undefined} dev
 */
function entryOf(name, range, dev) {
  const words = name.split(/[/-]/);
  const cpu = words.find((word) => CPU.includes(word))?.replace('armv7', 'arm');
  const os = words.find((word) => OS.includes(word)) ?? (name === 'fsevents' ? 'darwin' : undefined);
  const libc = /musl/.test(name) ? 'musl' : /-gnu/.test(name) && os === 'linux' ? 'glibc' : undefined;
  return {
    version: range.replace(/^[~^]/, ''),
    ...(cpu && { cpu: [cpu] }),
    ...(dev && { dev }),
    ...(libc && { libc: [libc] }),
    optional: true,
    ...(os && { os: [os] }),
  };
}
