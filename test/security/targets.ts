/** Defines the input of probe.mjs. */
export interface Targets {
  /** HOST:PORT of the coordinator. */
  readonly grpc: string;
  /** The paths of the gRPC methods. */
  readonly methods: readonly string[];
  readonly pages: readonly string[];
  readonly natsPort: number;
  /** The options of each NATS login, by the name of the login. */
  readonly logins: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly files: readonly string[];
  readonly pids: readonly number[];
  /** The token of the caller; empty if the caller has none. */
  readonly token: string;
}
