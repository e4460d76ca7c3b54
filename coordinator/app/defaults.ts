/** Defaults of options, in a file of its own so that the CLI reads them without loading the coordinator. */

/** The time without a heartbeat after which the attempts of an agent are lost. */
export const DEFAULT_LEASE_MS = 15_000;
export const DEFAULT_DIR = 'trawl-data';
export const DEFAULT_METRICS_ADDRESS = '127.0.0.1:9464';
