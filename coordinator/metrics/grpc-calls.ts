/** Counts and times the calls that the gRPC server answers. */
import { ServerInterceptingCall, type ServerInterceptor, type ServiceDefinition, status } from '@grpc/grpc-js';
import type { CoordinatorMetrics } from './families.ts';

/** Calls with the server's health and reflection are told apart as others are. */
export function measuringInterceptor({ grpcHandled, grpcHandling }: CoordinatorMetrics): ServerInterceptor {
  return (method, call) => {
    const begun = performance.now();
    const labels = labelsOf(method.path);
    return new ServerInterceptingCall(call, {
      sendStatus(ending, next) {
        grpcHandled.inc({ ...labels, grpc_code: codeName(ending.code) });
        grpcHandling.observe(labels, (performance.now() - begun) / 1000);
        next(ending);
      },
    });
  };
}

/** Zeros for every method, so that rates are right from the first call. */
export function introduceCalls(
  { grpcHandled, grpcHandling }: CoordinatorMetrics,
  services: readonly ServiceDefinition[],
) {
  for (const service of services) {
    for (const { path } of Object.values(service)) {
      grpcHandled.inc({ ...labelsOf(path), grpc_code: codeName(status.OK) }, 0);
      grpcHandling.zero(labelsOf(path));
    }
  }
}

/** As go-grpc-prometheus has it, and with it most dashboards: `/trawl.v1.SweepService/Submit`. */
function labelsOf(path: string): { grpc_service: string; grpc_method: string } {
  const [, service = '', method = ''] = path.split('/');
  return { grpc_service: service, grpc_method: method };
}

/** `NOT_FOUND` is `NotFound` there. */
function codeName(code: status | undefined): string {
  const name = status[code ?? status.OK] ?? 'UNKNOWN';
  if (name === 'OK') return name;
  return name
    .toLowerCase()
    .split('_')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}
