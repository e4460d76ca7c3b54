/** Stands before every method: lets in whom it knows, and remembers for each call who called. */
import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  status,
} from '@grpc/grpc-js';
import { RefusedError } from '../../proto/errors.ts';
import { type Admission, admit, type Caller, type Peer, type RefusalReason } from './admit.ts';
import type { Identities } from './identities.ts';

/** What a method's handler has of its call. */
interface Called {
  readonly metadata: Metadata;
  getPeer(): string;
}

type Tell = (reason: RefusalReason, facts: Readonly<Record<string, unknown>>) => void;

export class Guard {
  readonly #identities: Identities | undefined;
  readonly #tell: Tell;
  readonly #callers = new WeakMap<Metadata, Caller>();

  /**
   * @param identities who may come; undefined: everyone, as whom they say they are
   * @param tell counts and logs a refusal
   */
  constructor(identities: Identities | undefined, tell: Tell) {
    this.#identities = identities;
    this.#tell = tell;
  }

  /** For the server's options. */
  get interceptors(): ServerInterceptor[] {
    const identities = this.#identities;
    return identities === undefined ? [] : [(method, call) => this.#intercept(method.path, call, identities)];
  }

  /**
   * Whose call it is, where an agent called; undefined: a person did, or nobody is known here.
   * @throws {RefusedError} when the caller is another agent than the one it says it is
   */
  agentOf(call: Called, saysItIs?: string): string | undefined {
    const caller = this.#callers.get(call.metadata);
    if (caller?.role !== 'agent') return undefined;
    if (saysItIs === undefined || caller.name === saysItIs) return caller.name;
    throw this.refuse('other_agent', call, `agent ${caller.name} speaks for itself only, not for ${saysItIs}`);
  }

  /** Logs and counts a refusal. @returns what to throw */
  refuse(reason: RefusalReason, call: Called, message: string): RefusedError {
    this.#tell(reason, { ...this.#callers.get(call.metadata), from: call.getPeer(), message });
    return new RefusedError(message);
  }

  #intercept(method: string, call: ServerInterceptingCallInterface, identities: Identities): ServerInterceptingCall {
    const peer = peerOf(call);
    let authorization: string | undefined;
    let over = false;
    /** Asked again with every message: who is withdrawn, or whose role has changed, does not go on. */
    const passes = (): Caller | undefined => {
      if (over) return undefined;
      const admission = admit({ method, peer, authorization }, (token) => identities.find(token));
      if (admission.admitted) return admission.caller;
      over = true;
      this.#refuseCall(method, call, peer, admission);
      return undefined;
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, pass) => {
            authorization = metadata.get('authorization')[0]?.toString();
            metadata.remove('authorization');
            const caller = passes();
            if (caller === undefined) return;
            this.#callers.set(metadata, caller);
            pass(metadata);
          },
          onReceiveMessage: (message, pass) => {
            if (passes() !== undefined) pass(message);
          },
        }),
      sendMessage: (message, pass) => {
        if (passes() !== undefined) pass(message);
      },
      sendStatus: (end, pass) => {
        if (!over) pass(end);
      },
    });
  }

  #refuseCall(
    method: string,
    call: ServerInterceptingCallInterface,
    peer: Peer | undefined,
    { reason, code, message }: Admission & { admitted: false },
  ): void {
    this.#tell(reason, { ...peer, from: call.getPeer(), method, code: status[code] });
    call.sendStatus({ code, details: message });
  }
}

function peerOf(call: ServerInterceptingCallInterface): Peer | undefined {
  const subject = call.getAuthContext().sslPeerCertificate?.subject;
  return subject === undefined ? undefined : { name: `${subject.CN}`, role: `${subject.OU}` };
}
