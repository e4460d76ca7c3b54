/** Everything that a nats-server of trawl's own needs to know, as its configuration file. */
export interface NatsConfig {
  host: string;
  /** -1 lets the server choose a free one. */
  port: number;
  /** Where JetStream keeps its streams, and the server its process id and ports. */
  storeDir: string;
  /** Bytes that streams in memory may take; the server's own default is 75 % of the machine. */
  maxMemoryBytes: number;
}

export const PID_FILE = 'nats-server.pid';

/** Text of the file. JSON's strings are valid there, whatever characters a path has. */
export function natsConfig({ host, port, storeDir, maxMemoryBytes }: NatsConfig): string {
  const text = (value: string) => JSON.stringify(value);
  return `# Written by trawl on every start of this server.
host: ${text(host)}
port: ${port}
pid_file: ${text(`${storeDir}/${PID_FILE}`)}
ports_file_dir: ${text(storeDir)}
jetstream {
  store_dir: ${text(storeDir)}
  max_memory_store: ${maxMemoryBytes}
}
`;
}
