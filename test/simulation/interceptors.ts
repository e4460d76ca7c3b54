/** Interceptors of the coordinator's messages, for planted bugs. */
import type { NatsConnection } from 'nats';
import type { Runtime } from '../../coordinator/app/runtime.ts';
import {
  type AttemptKey,
  type AttemptServiceServer,
  type Claim,
  Heartbeat,
  type Hello,
  type Record as RecordMessage,
  type ReportRequest,
  type ReportResponse,
  type Welcome,
} from '../../proto/gen/trawl/v1/attempt_service.ts';

/** Calls `intercept`, which can change a record, before the coordinator gets the record. */
export function onRecords(
  service: AttemptServiceServer,
  runtime: Runtime,
  intercept: (runtime: Runtime, agentId: string, record: RecordMessage) => void,
): AttemptServiceServer {
  return aroundRequests(service, ({ message }, { agentId }) => {
    if (message?.$case === 'record') intercept(runtime, agentId, message.record);
    if (message?.$case === 'batch') for (const record of message.batch.records) intercept(runtime, agentId, record);
    return () => {};
  });
}

/**
 * Calls `begin` before the coordinator gets a message of a Report stream. Afterward, calls the function that `begin`
 * returned.
 */
function aroundRequests(
  service: AttemptServiceServer,
  begin: (request: ReportRequest, sender: Pick<Hello, 'agentId' | 'incarnation'>) => () => void,
): AttemptServiceServer {
  return {
    ...service,
    report(call) {
      let sender = { agentId: '', incarnation: '' };
      const emit = call.emit.bind(call) as (event: string, ...args: unknown[]) => boolean;
      call.emit = (event: string, ...args: unknown[]) => {
        if (event !== 'data') return emit(event, ...args);
        const request = args[0] as ReportRequest;
        if (request.message?.$case === 'hello') sender = request.message.hello;
        const end = begin(request, sender);
        const isHandled = emit(event, ...args);
        end();
        return isHandled;
      };
      service.report(call);
    },
  };
}

function claimsIn({ message }: ReportRequest): Claim[] {
  return message?.$case === 'batch' ? message.batch.claimRequests.flatMap(({ claims }) => claims) : [];
}

/** Calls `intercept`, which can change a welcome message, before an agent gets the message. */
export function onWelcome(service: AttemptServiceServer, intercept: (welcome: Welcome) => void): AttemptServiceServer {
  return {
    ...service,
    report(call) {
      const write = call.write.bind(call) as (response: ReportResponse) => boolean;
      call.write = (response: ReportResponse) => {
        if (response.message?.$case === 'welcome') intercept(response.message.welcome);
        return write(response);
      };
      service.report(call);
    },
  };
}

/** Calls `begin` before the coordinator gets claims. Afterward, calls the function that `begin` returned. */
export function aroundOpen(service: AttemptServiceServer, begin: () => () => void): AttemptServiceServer {
  const onStream = aroundRequests(service, (request) => (claimsIn(request).length > 0 ? begin() : () => {}));
  return {
    ...onStream,
    open(call, callback) {
      const end = begin();
      service.open(call, callback);
      end();
    },
  };
}

/** Calls `intercept` before the coordinator decides on a claim. */
export function onClaims(
  service: AttemptServiceServer,
  runtime: Runtime,
  intercept: (runtime: Runtime, agentId: string, incarnation: string, claim: Claim) => unknown,
): AttemptServiceServer {
  const onStream = aroundRequests(service, (request, { agentId, incarnation }) => {
    for (const claim of claimsIn(request)) intercept(runtime, agentId, incarnation, claim);
    return () => {};
  });
  return {
    ...onStream,
    open(call, callback) {
      const { agentId, incarnation, claims } = call.request;
      for (const claim of claims) intercept(runtime, agentId, incarnation, claim);
      service.open(call, callback);
    },
  };
}

/** Calls `intercept` before the coordinator gets a heartbeat. */
export function onHeartbeats(
  nats: NatsConnection,
  runtime: Runtime,
  intercept: (runtime: Runtime, agentId: string, incarnation: string, held: readonly AttemptKey[]) => void,
): NatsConnection {
  const subscribe: NatsConnection['subscribe'] = (subject, options) =>
    nats.subscribe(subject, {
      ...options,
      callback: (error, message) => {
        const { agentId, incarnation, held } = Heartbeat.decode(message.data);
        intercept(runtime, agentId, incarnation, held);
        options?.callback?.(error, message);
      },
    });
  return { ...nats, subscribe };
}
