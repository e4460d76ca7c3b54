/** Interceptors of the coordinator's messages, for planted bugs. */
import type { NatsConnection } from 'nats';
import type { Runtime } from '../../coordinator/app/runtime.ts';
import {
  type AttemptKey,
  type AttemptServiceServer,
  type Claim,
  Heartbeat,
  type Record as RecordMessage,
  type ReportRequest,
  type ReportResponse,
  type Welcome,
} from '../../proto/gen/trawl/v1/attempt_service.ts';

/** Calls `intercept`, which can change the record, before the coordinator gets it. */
export function onRecords(
  service: AttemptServiceServer,
  runtime: Runtime,
  intercept: (runtime: Runtime, agentId: string, record: RecordMessage) => void,
): AttemptServiceServer {
  return {
    ...service,
    report(call) {
      let agentId = '';
      const emit = call.emit.bind(call) as (event: string, ...args: unknown[]) => boolean;
      call.emit = (event: string, ...args: unknown[]) => {
        const message = event === 'data' ? (args[0] as ReportRequest).message : undefined;
        if (message?.$case === 'hello') agentId = message.hello.agentId;
        if (message?.$case === 'record') intercept(runtime, agentId, message.record);
        return emit(event, ...args);
      };
      service.report(call);
    },
  };
}

/** Calls `intercept`, which can change the message, before an agent gets its welcome. */
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

/** Calls `begin` before claims are decided, and the returned function afterward. */
export function aroundOpen(service: AttemptServiceServer, begin: () => () => void): AttemptServiceServer {
  return {
    ...service,
    open(call, callback) {
      const end = begin();
      service.open(call, callback);
      end();
    },
  };
}

/** Calls `intercept` before the coordinator decides a claim. */
export function onClaims(
  service: AttemptServiceServer,
  runtime: Runtime,
  intercept: (runtime: Runtime, agentId: string, incarnation: string, claim: Claim) => unknown,
): AttemptServiceServer {
  return {
    ...service,
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
