/**
 * Why this platform cannot be served, as a message for a person, or null.
 * @param {{platform: string, arch: string, glibc: string | undefined}} machine `glibc`: its version, undefined if the
 * C library is another one
 * @returns {string | null}
 */
export function platformProblem({ platform, arch, glibc }) {
  const here = `this is ${platform} ${arch}`;
  const instead = 'trawl computes with WebAssembly here, which needs no set-up';
  if (platform !== 'linux' || arch !== 'x64')
    return `libtensorflow is set up on 64-bit x86 Linux only, and ${here}; ${instead}`;
  if (glibc === undefined)
    return `libtensorflow needs the GNU C library, and this Linux has another one (musl); ${instead}`;
  return null;
}

/** This machine, for {@link platformProblem}. */
export function thisMachine() {
  const { header } = process.report.getReport();
  return { platform: process.platform, arch: process.arch, glibc: header.glibcVersionRuntime };
}
