/**
 * npm leaves optional packages out of package-lock.json if the registry at hand does not have them (a mirror that only
 * holds this platform's binaries), and then refuses `npm ci` with that very lock file, here and everywhere else.
 */
const OS = ['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const CPU = ['arm64', 'arm', 'armv7', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'x64'];

/**
 * Lock file entries for the optional packages that others name and that the lock file lacks, by path. They carry no
 * checksum: the package was not there to take one.
 * @param {{packages: Record<string, any>}} lock
 * @returns {Record<string, object>}
 */
export function missingPlatformPackages(lock) {
  const missing = {};
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
      if (path !== '' && !isLocked(lock, path, name)) missing[`node_modules/${name}`] = entryOf(name, range, entry.dev);
    }
  }
  return missing;
}

/** Looks where Node would: beside the package that asks, then further and further out. */
function isLocked(lock, from, name) {
  const folders = from.split('/node_modules/');
  return (
    folders.some((_, depth) => {
      const folder = folders.slice(0, folders.length - depth).join('/node_modules/');
      return lock.packages[`${folder}/node_modules/${name}`] !== undefined;
    }) || lock.packages[`node_modules/${name}`] !== undefined
  );
}

/** The platform is in the name: `@rollup/rollup-linux-x64-musl`. */
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
