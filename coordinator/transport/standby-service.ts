/**
 * Answers the calls that a coordinator receives while it does not lead. No handler runs, so callers can safely repeat
 * the calls.
 */
import {
  Metadata,
  type Server,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServiceDefinition,
  type ServiceError,
  status,
  type UntypedHandleCall,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { LEADER_HEADER } from '../../proto/leader-header.ts';

type Answer = Pick<ServiceError, 'code' | 'details' | 'metadata'>;

/**
 * Returns the header with the leader's address. The address is empty if the leader is unknown. The header also shows
 * clients that no handler ran.
 */
function leaderHeader(leader: string): Metadata {
  const metadata = new Metadata();
  metadata.set(LEADER_HEADER, leader);
  return metadata;
}

/** Returns the answer of a coordinator that does not lead. */
function notLeading(leader: string): Answer {
  const details =
    leader === '' ? 'this coordinator stands by' : `this coordinator stands by; the coordinator at ${leader} leads`;
  return { code: status.UNAVAILABLE, details, metadata: leaderHeader(leader) };
}

/**
 * Adds services whose calls are all answered with the address of the leader.
 * @param leader returns HOST:PORT of the leader; empty if no coordinator leads
 */
export function addStandbyServices(server: Server, services: readonly ServiceDefinition[], leader: () => string): void {
  const unary: UntypedHandleCall = (_call: unknown, callback: unknown) => {
    if (typeof callback === 'function') callback(notLeading(leader()));
  };
  const streaming: UntypedHandleCall = (call: unknown) => {
    const { emit } = call as { emit(event: 'error', answer: Answer): void };
    emit.call(call, 'error', notLeading(leader()));
  };
  for (const service of services) {
    const implementation: UntypedServiceImplementation = {};
    for (const [name, { responseStream }] of Object.entries(service)) {
      implementation[name] = responseStream ? streaming : unary;
    }
    server.addService(service, implementation);
  }
}

export const UNCERTAIN_TEXT = 'the store does not answer, so another coordinator may already lead';

const HEALTH_PREFIX = '/grpc.health.';

/**
 * Rejects calls while it is uncertain whether this coordinator still leads, so that agents and clients look for the
 * current leader. Health checks are still answered.
 */
export class CertaintyGate {
  readonly #isCertain: () => boolean;
  readonly #open = new Set<ServerInterceptingCallInterface>();

  /** @param isCertain returns whether this coordinator certainly leads */
  constructor(isCertain: () => boolean) {
    this.#isCertain = isCertain;
  }

  get interceptor(): ServerInterceptor {
    return ({ path }, call) => {
      if (path.startsWith(HEALTH_PREFIX)) return new ServerInterceptingCall(call);
      return new ServerInterceptingCall(call, {
        start: (next) =>
          next({
            onReceiveMetadata: (metadata, pass) => {
              if (!this.#isCertain()) {
                reject(call);
                return;
              }
              this.#open.add(call);
              pass(metadata);
            },
            onCancel: () => {
              this.#open.delete(call);
            },
          }),
        sendStatus: (end, pass) => {
          if (this.#open.delete(call)) pass(end);
        },
      });
    };
  }

  /** Ends all calls in progress. The changes that these calls made may already be durable. */
  endCalls(): void {
    const open = [...this.#open];
    this.#open.clear();
    for (const call of open) call.sendStatus({ code: status.UNAVAILABLE, details: UNCERTAIN_TEXT });
  }
}

/** Ends a call before its handler runs. The caller can make the call again. */
function reject(call: ServerInterceptingCallInterface): void {
  call.sendStatus({ code: status.UNAVAILABLE, details: UNCERTAIN_TEXT, metadata: leaderHeader('') });
}
