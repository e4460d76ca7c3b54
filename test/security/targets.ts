/** Defines the input of probe.mjs. */
export interface Targets {
  /** HOST:PORT of the coordinator. */
  readonly grpc: string;
  /** The paths of the gRPC methods. */
  readonly methods: readonly string[];
  readonly pages: readonly string[];
  readonly natsPort: number;
  /** Options of a NATS client, by name. */
  readonly logins: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly files: readonly string[];
  readonly pids: readonly number[];
  /** Empty if the caller has no token. */
  readonly token: string;
}
