/** A server that already runs, named by TRAWL_NATS. */
export interface RunningNats {
  kind: 'running';
  url: string;
  version: string;
}

/** A nats-server program on this machine. */
export interface NatsBinary {
  kind: 'binary';
  path: string;
  version: string;
}

export type NatsServer = RunningNats | NatsBinary;

export interface FindOptions {
  /** Whether one may be installed or downloaded if none is here; may then take a minute. */
  install: boolean;
  /** PATH, TRAWL_NATS, XDG_CACHE_HOME and HOME are read from it. Default: process.env. */
  env?: NodeJS.ProcessEnv;
  /** Told in one line of every place that is passed over, and of everything that takes time. Default: silent. */
  say?: (line: string) => void;
  /** Folders looked into after PATH. Default: where packages put servers. */
  systemFolders?: readonly string[];
  /** The release to download. Default: the pinned one. */
  release?: { version: string; baseUrl: string; sha256: Record<string, string> };
}

/** No nats-server could be had; the message lists what was tried and says what to do. */
export class NatsServerNotFoundError extends Error {}

/** TRAWL_NATS names a server that cannot be used. */
export class NatsServerUnusableError extends Error {}

/**
 * A nats-server to use: the running one that TRAWL_NATS names, or else a program as of findNatsBinary.
 * @throws NatsServerUnusableError, NatsServerNotFoundError
 */
export function findNatsServer(options: FindOptions): Promise<NatsServer>;

/**
 * A nats-server program: from PATH and the system's folders, trawl's cache, and with `install` Debian's package and
 * the pinned release. TRAWL_NATS is not looked at.
 * @throws NatsServerNotFoundError
 */
export function findNatsBinary(options: FindOptions): Promise<NatsBinary>;
