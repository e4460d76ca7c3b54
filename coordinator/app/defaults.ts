/**
 * Defaults of options. The defaults are in a separate file, so that the CLI can import them without loading the
 * coordinator.
 */

/** An attempt is lost after this many milliseconds without a heartbeat or a record. */
export const DEFAULT_LEASE_MS = 15_000;
/** The shortest permitted lease. It is several times the shortest heartbeat interval, which is 100 ms. */
export const MIN_LEASE_MS = 1_000;
export const DEFAULT_DIR = 'trawl-data';
export const DEFAULT_METRICS_ADDRESS = '127.0.0.1:9464';
