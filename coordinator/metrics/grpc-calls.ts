/** Counts and times the calls that the gRPC server answers. */
import { type ServiceDefinition, status } from '@grpc/grpc-js';
import type { CallStatus } from '../transport/call-status.ts';
import type { CoordinatorMetrics } from './families.ts';

type CallMetrics = Pick<CoordinatorMetrics, 'grpcHandled' | 'grpcHandling' | 'unreadable'>;

/**
 * The streams whose durations are not measured, because these durations depend on the client or on the amount of data.
 */
const UNTIMED: ReadonlySet<string> = new Set([
  'Report',
  'Watch',
  'ReadLog',
  'Put',
  'Read',
  'PutCode',
  'ReadCode',
  'Backup',
  'ServerReflectionInfo',
]);

/** Returns a function that counts a call. The counts include calls of the health and reflection services. */
export function callCounter({ grpcHandled, grpcHandling, unreadable }: CallMetrics): (ended: CallStatus) => void {
  return (ended) => {
    const labels = labelsOf(ended.path);
    grpcHandled.inc({ ...labels, grpc_code: codeName(ended.code) });
    if (!UNTIMED.has(labels.grpc_method)) grpcHandling.observe(labels, ended.seconds);
    if (ended.unreadable) unreadable.inc({ via: 'grpc' });
  };
}

/** Initializes the series of every method to zero, so that rates are correct from the first call. */
export function initializeCallSeries(
  { grpcHandled, grpcHandling }: CallMetrics,
  services: readonly ServiceDefinition[],
) {
  for (const service of services) {
    for (const { path } of Object.values(service)) {
      const labels = labelsOf(path);
      grpcHandled.inc({ ...labels, grpc_code: codeName(status.OK) }, 0);
      if (!UNTIMED.has(labels.grpc_method)) grpcHandling.zero(labels);
    }
  }
}

/**
 * Splits a path such as `/trawl.v1.SweepService/Submit` into the labels of go-grpc-prometheus, which most dashboards
 * expect.
 */
function labelsOf(path: string): { grpc_service: string; grpc_method: string } {
  const [, service = '', method = ''] = path.split('/');
  return { grpc_service: service, grpc_method: method };
}

/** Returns the name of a status in the notation of go-grpc-prometheus: `NotFound` for `NOT_FOUND`. */
function codeName(code: status): string {
  const name = status[code] ?? 'UNKNOWN';
  if (name === 'OK') return name;
  return name
    .toLowerCase()
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}
