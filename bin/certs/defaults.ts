/** Where identities are kept, and how long they last, unless said. */
export const DEFAULT_CERTS_DIR = 'trawl-certs';
export const DEFAULT_DAYS = 365;
export const DEFAULT_AUTHORITY_DAYS = 3_650;
