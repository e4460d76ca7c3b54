/** Authenticates every gRPC call, and provides the caller to the handlers. */
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';
import { type HashedSecret, hashedBearerToken } from '../../lib/net/secret.ts';
import { RejectedError } from '../../proto/errors.ts';
import type { Admission, Caller, CertificateHolder, Credentials } from './admit.ts';
import type { RejectionReason } from './rejections.ts';

interface HandledCall {
  readonly metadata: Metadata;
  getPeer(): string;
}

type OnRejected = (reason: RejectionReason, facts: Readonly<Record<string, unknown>>) => void;

interface CallObserver {
  onAdmitted?(peer: string): void;
  onRejected?(peer: string): void;
}

export type Admit = (credentials: Credentials) => Admission;

export class Guard {
  readonly #admit: Admit | undefined;
  readonly #onRejected: OnRejected;
  readonly #callers = new WeakMap<Metadata, Caller>();
  readonly #calls: CallObserver;
  /** For each open call, a function that checks whether the caller is still admitted. */
  readonly #open = new Set<() => void>();

  /**
   * @param admit decides whether to admit a call; if undefined, every caller is admitted, and names are not verified
   * @param onRejected counts and logs a rejection
   * @param calls receives the network address of each call
   */
  constructor(admit: Admit | undefined, onRejected: OnRejected, calls: CallObserver = {}) {
    this.#admit = admit;
    this.#onRejected = onRejected;
    this.#calls = calls;
  }

  /** The interceptors for the gRPC server. */
  get interceptors(): ServerInterceptor[] {
    const admit = this.#admit;
    return admit === undefined ? [] : [(method, call) => this.#intercept(method.path, call, admit)];
  }

  /**
   * Returns the name of the calling agent. Undefined if the caller is not an agent, or if callers are not
   * authenticated.
   * @param claimedName the name in the message
   * @throws {RejectedError} if the caller is an agent with another name
   */
  agentOf(call: HandledCall, claimedName?: string): string | undefined {
    const caller = this.#callers.get(call.metadata);
    if (caller?.role !== 'agent') return undefined;
    if (claimedName === undefined || caller.name === claimedName) return caller.name;
    throw this.reject('other_agent', call, `agent ${caller.name} cannot act as agent ${claimedName}`);
  }

  /** Ends every open call whose caller is no longer admitted. */
  recheck(): void {
    for (const check of [...this.#open]) check();
  }

  /**
   * Counts and logs a rejection.
   * @returns the error to throw
   */
  reject(reason: RejectionReason, call: HandledCall, message: string): RejectedError {
    this.#onRejected(reason, { ...this.#callers.get(call.metadata), from: call.getPeer(), message });
    return new RejectedError(message);
  }

  #intercept(method: string, call: ServerInterceptingCallInterface, admit: Admit): ServerInterceptingCall {
    const peer = peerOf(call);
    let token: HashedSecret | undefined;
    let rejected = false;
    /**
     * Returns the caller if the call is admitted. The check runs again for each message of a stream, so that a revoked
     * token or a changed role takes effect while the stream is open.
     */
    const admittedCaller = (): Caller | undefined => {
      if (rejected) return undefined;
      const admission = admit({ method, peer, token });
      if (admission.admitted) return admission.caller;
      rejected = true;
      this.#open.delete(admittedCaller);
      this.#rejectCall(method, call, peer, admission);
      return undefined;
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            token = hashedBearerToken(metadata.get('authorization')[0]?.toString());
            metadata.remove('authorization');
            const caller = admittedCaller();
            if (caller === undefined) return;
            this.#calls.onAdmitted?.(call.getPeer());
            this.#callers.set(metadata, caller);
            this.#open.add(admittedCaller);
            pass(metadata);
          },
          onCancel: () => {
            this.#open.delete(admittedCaller);
          },
          onReceiveMessage: (message, pass) => {
            if (admittedCaller() !== undefined) pass(message);
          },
        }),
      sendMessage: (message, pass) => {
        if (admittedCaller() !== undefined) pass(message);
      },
      sendStatus: (end, pass) => {
        this.#open.delete(admittedCaller);
        if (!rejected) pass(end);
      },
    });
  }

  #rejectCall(
    method: string,
    call: ServerInterceptingCallInterface,
    peer: CertificateHolder | undefined,
    { reason, code, message }: Admission & { admitted: false },
  ): void {
    this.#onRejected(reason, { ...peer, from: call.getPeer(), method, code: status[code] });
    this.#calls.onRejected?.(call.getPeer());
    call.sendStatus({ code, details: message });
  }
}

/** Returns the time when the caller's certificate expires, in Unix milliseconds. Undefined without a certificate. */
export function certificateExpiry(call: Pick<ServerInterceptingCallInterface, 'getAuthContext'>): number | undefined {
  const validTo = call.getAuthContext().sslPeerCertificate?.valid_to;
  return validTo === undefined ? undefined : Date.parse(validTo);
}

/**
 * Returns a text that identifies the caller of a call: the role and name in its certificate or, without a certificate,
 * the address of its connection.
 */
export function callerOf(call: ServerInterceptingCallInterface): string {
  const holder = peerOf(call);
  return holder === undefined ? call.getPeer() : `${holder.role} ${holder.name}`;
}

function peerOf(call: ServerInterceptingCallInterface): CertificateHolder | undefined {
  const subject = call.getAuthContext().sslPeerCertificate?.subject;
  return subject === undefined ? undefined : { name: `${subject.CN}`, role: `${subject.OU}` };
}
