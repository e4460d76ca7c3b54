/** How long an agent may be silent before what it runs is given to another. */
export const DEFAULT_LEASE_MS = 15_000;
export const DEFAULT_DIR = 'trawl-data';
export const DEFAULT_METRICS_ADDRESS = '127.0.0.1:9464';
