/** The ways from an agent to its coordinator: calls, a stream, and the files of artifacts. */
import { type ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import { channelTo } from '../../lib/net/channel.ts';
import type { Identity } from '../../lib/net/identity.ts';
import { ArtifactServiceClient } from '../../proto/gen/trawl/v1/artifact_service.ts';
import {
  type AttemptKey,
  AttemptServiceClient,
  type OpenRequest,
  type OpenResponse,
  type Refusal,
  type ReportRequest,
  type ReportResponse,
} from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { Artifact } from '../../proto/gen/trawl/v1/types.ts';
import { bringArtifact, fetchArtifact, type Outgoing } from './artifact-transfer.ts';

export const RECONNECT_MIN_MS = 200;
export const RECONNECT_MAX_MS = 5_000;

export type ReportStream = ClientDuplexStream<ReportRequest, ReportResponse>;

export interface Link {
  report(): ReportStream;
  /** Answers with an error when the coordinator cannot be reached, or has not answered in time. */
  open(request: OpenRequest, withinMs: number, answered: (error: Error | null, response: OpenResponse) => void): void;
  /** See bringArtifact. */
  bring(outgoing: Outgoing, signal: AbortSignal): Promise<'stored' | Refusal>;
  /** See fetchArtifact. */
  fetch(key: AttemptKey, artifact: Artifact, path: string): Promise<boolean>;
  close(): void;
}

/**
 * @param server HOST:PORT
 * @param identity whom the agent shows that it is; undefined: nobody asks, and nothing is encrypted
 */
export function linkTo(server: string, identity?: Identity): Link {
  const channel = channelTo(server, identity);
  const options = {
    ...channel.options,
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc.initial_reconnect_backoff_ms': RECONNECT_MIN_MS,
    'grpc.max_reconnect_backoff_ms': RECONNECT_MAX_MS,
  };
  const attempts = new AttemptServiceClient(server, channel.shown, options);
  const artifacts = new ArtifactServiceClient(server, channel.shown, options);
  return {
    report: () => attempts.report(),
    open: (request, withinMs, answered) => {
      attempts.open(request, new Metadata(), { deadline: new Date(Date.now() + withinMs) }, answered);
    },
    bring: (outgoing, signal) => bringArtifact(artifacts, outgoing, signal),
    fetch: (key, artifact, path) => fetchArtifact(artifacts, key, artifact, path),
    close() {
      attempts.close();
      artifacts.close();
    },
  };
}
