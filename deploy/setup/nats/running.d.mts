/** What a NATS server says of itself on connecting. */
export interface ServerInfo {
  version: string;
  jetstream: boolean;
  serverName: string;
}

/** Asks a NATS server who it is, within `limitMs` (default 3 s). Throws an Error that says what was wrong. */
export function askServer(url: string, limitMs?: number): Promise<ServerInfo>;

/** The version of a running server that trawl can use, or why it cannot. */
export function checkRunning(url: string): Promise<{ version: string } | { problem: string }>;

/** A URL without its user, password and token, for messages. */
export function withoutSecrets(url: string): string;
