/**
 * Tracks the state of a NATS connection: when and why it is lost, when it is restored, and which subjects its
 * permissions deny.
 */
import { ErrorCode, Events, type NatsConnection } from 'nats';
import type { Logger } from 'pino';

/** The reasons why a server rejects a login, by error code. */
const REJECTED_LOGINS: Readonly<Record<string, string>> = {
  [ErrorCode.AuthorizationViolation]: 'the server rejects the login',
  [ErrorCode.AuthenticationExpired]: 'the login has expired',
  [ErrorCode.AuthenticationTimeout]: 'the server rejects the login (timeout)',
  [ErrorCode.AccountExpired]: 'the account has expired',
};

/** Returns the reason why the server rejects the login; undefined if the error has another cause. */
export function rejectedLogin(code: unknown): string | undefined {
  return REJECTED_LOGINS[`${code}`];
}

export interface NatsStateEvents {
  /**
   * Called with the reason when the connection is lost or the reason changes, and with undefined when the connection is
   * restored.
   */
  onProblem?(problem: string | undefined): void;
  /** Called each time the connection is restored. */
  onReconnect?(): void;
}

const LOST = 'the connection to NATS is lost';

/**
 * If NATS denied a subject, and does not deny it again within this time, the subject is considered permitted. trawl
 * repeats every request within this time, so a lasting denial is seen again.
 */
export const DENIED_FOR_MS = 30_000;

/**
 * The subjects of inboxes, acknowledgements, offers and requests vary in their last tokens. The denials of all subjects
 * of one kind are therefore reported as one denial.
 */
const FAMILY = /^(_INBOX[^.]*|\$JS\.ACK|\$JS\.API(?:\.[A-Z]+)+|trawl\.[^.]+\.offer)\..*/;

/**
 * Logs one line for each of these events: the connection is lost, the server rejects the login, the connection is
 * restored, the permissions deny a subject, and the denial ends.
 */
export class NatsState {
  readonly #log: Logger;
  readonly #events: NatsStateEvents;
  #problem: string | undefined;
  /** The timers that remove denials that are not repeated, by operation and subject. */
  readonly #denied = new Map<string, NodeJS.Timeout>();

  constructor(nats: Pick<NatsConnection, 'status'>, log: Logger, events: NatsStateEvents = {}) {
    this.#log = log;
    this.#events = events;
    this.#follow(nats).catch((error) => log.error({ err: error }, 'could not watch the connection to NATS'));
  }

  /**
   * Returns the reason why the connection is lost, or the subjects that its permissions deny; undefined if there is no
   * problem.
   */
  get problem(): string | undefined {
    if (this.#problem !== undefined || this.#denied.size === 0) return this.#problem;
    return `the permissions on NATS deny ${[...this.#denied.keys()].join(' and ')}`;
  }

  async #follow(nats: Pick<NatsConnection, 'status'>): Promise<void> {
    for await (const { type, data, permissionContext } of nats.status()) {
      if (type === Events.Disconnect) this.#onDisconnect();
      else if (type === Events.Reconnect) this.#onReconnect();
      else if (type === Events.Error && permissionContext !== undefined) this.#onDenied(permissionContext);
      else if (type === Events.Error) this.#onError(data);
    }
  }

  /** Reports a loss once, because the client emits the disconnect event again for each failed attempt to reconnect. */
  #onDisconnect(): void {
    if (this.#problem !== undefined) return;
    this.#log.warn('lost the connection to NATS; reconnecting');
    this.#set(LOST);
  }

  #onError(code: unknown): void {
    const reason = rejectedLogin(code);
    if (reason === undefined || this.#problem === `${LOST}: ${reason}`) return;
    this.#log.warn({ reason }, 'NATS does not accept the connection; retrying');
    this.#set(`${LOST}: ${reason}`);
  }

  #onDenied({ operation, subject }: { readonly operation: string; readonly subject: string }): void {
    const denied = `${operation} to ${subject.replace(FAMILY, '$1.>')}`;
    const before = this.#denied.get(denied);
    if (before === undefined) this.#log.warn({ denied }, 'the permissions on NATS deny a subject');
    clearTimeout(before);
    const onEnd = () => {
      this.#denied.delete(denied);
      this.#log.info({ denied }, 'NATS no longer denies the subject');
    };
    this.#denied.set(denied, setTimeout(onEnd, DENIED_FOR_MS).unref());
  }

  #onReconnect(): void {
    if (this.#problem === undefined) return;
    this.#log.info('reconnected to NATS');
    this.#set(undefined);
    this.#events.onReconnect?.();
  }

  #set(problem: string | undefined): void {
    this.#problem = problem;
    this.#events.onProblem?.(problem);
  }
}
