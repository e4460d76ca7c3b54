/**
 * Returns whether a test must be skipped because this machine lacks a requirement, and prints the reason. With
 * `TRAWL_CI=1`, as in `.ci/run`, the test fails instead, so that no check is silently left out.
 * @param missing the missing requirement; undefined if nothing is missing
 * @throws {Error} with TRAWL_CI=1 when a requirement is missing
 */
export function isSkipped(missing: string | undefined): boolean {
  if (missing === undefined) return false;
  if (process.env.TRAWL_CI === '1')
    throw new Error(`this test cannot be skipped in continuous integration: ${missing}`);
  console.warn(`skipped: ${missing}`);
  return true;
}

/** Returns why this process cannot act as another user or mount a disk. Returns undefined if the process is root. */
export function rootMissing(): string | undefined {
  return process.geteuid?.() === 0 ? undefined : 'only root can do this';
}
