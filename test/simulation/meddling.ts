/** How bugs come between a coordinator and what it is told. */
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

/** @param meddle sees, and may change, each record before the coordinator does */
export function onRecords(
  service: AttemptServiceServer,
  runtime: Runtime,
  meddle: (runtime: Runtime, agentId: string, record: RecordMessage) => void,
): AttemptServiceServer {
  return {
    ...service,
    report(call) {
      let agentId = '';
      const emit = call.emit.bind(call) as (event: string, ...args: unknown[]) => boolean;
      call.emit = (event: string, ...args: unknown[]) => {
        const message = event === 'data' ? (args[0] as ReportRequest).message : undefined;
        if (message?.$case === 'hello') agentId = message.hello.agentId;
        if (message?.$case === 'record') meddle(runtime, agentId, message.record);
        return emit(event, ...args);
      };
      service.report(call);
    },
  };
}

/** @param meddle sees, and may change, what an agent is told when it has said hello */
export function onWelcome(service: AttemptServiceServer, meddle: (welcome: Welcome) => void): AttemptServiceServer {
  return {
    ...service,
    report(call) {
      const write = call.write.bind(call) as (response: ReportResponse) => boolean;
      call.write = (response: ReportResponse) => {
        if (response.message?.$case === 'welcome') meddle(response.message.welcome);
        return write(response);
      };
      service.report(call);
    },
  };
}

/** @param begin is called before claims are decided, and what it returns when they are */
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

/** @param meddle sees each claim before the coordinator does */
export function onClaims(
  service: AttemptServiceServer,
  runtime: Runtime,
  meddle: (runtime: Runtime, agentId: string, incarnation: string, claim: Claim) => unknown,
): AttemptServiceServer {
  return {
    ...service,
    open(call, callback) {
      const { agentId, incarnation, claims } = call.request;
      for (const claim of claims) meddle(runtime, agentId, incarnation, claim);
      service.open(call, callback);
    },
  };
}

/** @param meddle sees each heartbeat before the coordinator does */
export function onHeartbeats(
  nats: NatsConnection,
  runtime: Runtime,
  meddle: (runtime: Runtime, agentId: string, incarnation: string, held: readonly AttemptKey[]) => void,
): NatsConnection {
  const subscribe: NatsConnection['subscribe'] = (subject, options) =>
    nats.subscribe(subject, {
      ...options,
      callback: (error, message) => {
        const { agentId, incarnation, held } = Heartbeat.decode(message.data);
        meddle(runtime, agentId, incarnation, held);
        options?.callback?.(error, message);
      },
    });
  return { ...nats, subscribe };
}
