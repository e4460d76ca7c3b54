/** Makes the calls of an agent to its coordinator over gRPC. */
import { credentials, Metadata } from '@grpc/grpc-js';
import { channelToLeader } from '../../lib/net/channel.ts';
import { DirectPath } from '../../lib/net/direct-transfer.ts';
import type { Identity } from '../../lib/net/identity.ts';
import { NO_TOKENS, type TokenSources } from '../../lib/net/token-source.ts';
import { ArtifactServiceClient } from '../../proto/gen/trawl/v1/artifact_service.ts';
import {
  type AttemptKey,
  AttemptServiceClient,
  type OpenRequest,
  type Refusal,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import { CodeServiceClient } from '../../proto/gen/trawl/v1/code_service.ts';
import type { Artifact, CodeArchive } from '../../proto/gen/trawl/v1/types.ts';
import { downloadArtifact, downloadCode, type Upload, uploadArtifact } from './artifact-transfer.ts';
import type { OnClaimAnswer, ReportStream, StreamMessages } from './stream-messages.ts';

export const RECONNECT_MIN_MS = 200;
export const RECONNECT_MAX_MS = 5_000;
/**
 * The maximum delay between reconnects if there are several coordinators. It is shorter than RECONNECT_MAX_MS, so that
 * agents find the next leader before a lease expires.
 */
const RECONNECT_TO_LEADER_MAX_MS = 2_000;

export interface CoordinatorClient {
  /** The maximum delay before a lost stream is opened again, in milliseconds. Default: RECONNECT_MAX_MS */
  readonly reconnectMaxMs?: number;
  report(): ReportStream;
  /**
   * Claims leases. Calls back with an error if the coordinator cannot be reached or does not answer within the timeout.
   * @param stream the Report stream, if the coordinator accepts claims on it. A claim on the stream is cheaper than a
   * separate call.
   */
  open(request: OpenRequest, timeoutMs: number, onAnswer: OnClaimAnswer, stream?: Pick<StreamMessages, 'claim'>): void;
  /** Uploads an artifact (see uploadArtifact). */
  upload(upload: Upload, signal: AbortSignal): Promise<'stored' | Refusal>;
  /** Downloads an artifact into a file (see downloadArtifact). */
  download(key: AttemptKey, artifact: Artifact, path: string): Promise<boolean>;
  /** See downloadCode. */
  downloadCode(archive: CodeArchive, path: string): Promise<void>;
  /**
   * Directs all later calls to another coordinator, if several are known. Called if the current coordinator does not
   * lead.
   */
  leave(): void;
  /**
   * Opens new connections for all later calls, with the current identity. Calls in progress continue on the old
   * connections.
   */
  renew(): void;
  close(): void;
}

/**
 * @param servers HOST:PORT of each coordinator; at least one
 * @param identity returns the agent's certificate; without a certificate, connections are not encrypted
 * @param tokenOf provides the tokens for coordinators on this machine
 */
export function coordinatorClient(
  servers: readonly string[],
  identity: () => Identity | undefined,
  tokenOf: TokenSources = NO_TOKENS,
): CoordinatorClient {
  let { attempts, artifacts, code, leave, close } = connections(servers, identity(), tokenOf);
  const direct = new DirectPath();
  return {
    reconnectMaxMs: reconnectMaxMs(servers),
    report: () => attempts.report(),
    open: (request, timeoutMs, onAnswer, stream) => {
      if (stream !== undefined) stream.claim(request.claims, timeoutMs, onAnswer);
      else attempts.open(request, new Metadata(), { deadline: new Date(Date.now() + timeoutMs) }, onAnswer);
    },
    upload: (upload, signal) => uploadArtifact(artifacts, upload, signal, direct),
    download: (key, artifact, path) => downloadArtifact(artifacts, key, artifact, path, direct),
    downloadCode: (archive, path) => downloadCode(code, archive, path),
    leave: () => leave(),
    renew() {
      close();
      ({ attempts, artifacts, code, leave, close } = connections(servers, identity(), tokenOf));
    },
    close: () => close(),
  };
}

function reconnectMaxMs(servers: readonly string[]): number {
  return servers.length > 1 ? RECONNECT_TO_LEADER_MAX_MS : RECONNECT_MAX_MS;
}

function connections(servers: readonly string[], identity: Identity | undefined, tokenOf: TokenSources) {
  const channel = channelToLeader(servers, identity, tokenOf, {
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc.initial_reconnect_backoff_ms': RECONNECT_MIN_MS,
    'grpc.max_reconnect_backoff_ms': reconnectMaxMs(servers),
    // Gives this channel its own connections. By default, all clients of a process share one connection to a server,
    // even clients of different agents.
    'grpc.use_local_subchannel_pool': 1,
  });
  // These arguments have no effect, because the channel has the addresses and the credentials.
  const unused = [channel.address, credentials.createInsecure()] as const;
  const attempts = new AttemptServiceClient(...unused, channel.options);
  const artifacts = new ArtifactServiceClient(...unused, channel.options);
  const code = new CodeServiceClient(...unused, channel.options);
  const close = () => {
    for (const client of [attempts, artifacts, code]) client.close();
  };
  return { attempts, artifacts, code, leave: () => channel.leave(''), close };
}

/** Returns the gRPC status of a failed call, or the code of a system error. */
export function callErrorCode(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
