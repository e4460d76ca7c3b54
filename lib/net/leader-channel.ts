/**
 * Calls the leader of several coordinators. If a coordinator did not run a call, because the coordinator is a standby
 * or cannot be reached, the call is retried at another coordinator. A call that only reads is also retried if its
 * connection breaks before the first answer, if there is no answer in time, or if the leader cannot run the call at the
 * moment. A call with a stream of requests is never retried. If such a call fails because its coordinator does not lead
 * or cannot be reached, the next call of the client goes to another coordinator.
 */
import {
  type ChannelInterface,
  type ClientOptions,
  connectivityState,
  InterceptingCall,
  type InterceptingListener,
  type Interceptor,
  Metadata,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import { LEADER_HEADER, REACHED_HEADER } from '../../proto/leader-header.ts';
import { isRead } from '../../proto/roles.ts';
import { LeaderAddresses } from './leader-addresses.ts';

type CallOptions = Parameters<Interceptor>[0];
type NextCall = Parameters<Interceptor>[1];
type Call = ReturnType<NextCall>;
type MessageContext = Parameters<Call['sendMessageWithContext']>[0];

/** If there are several addresses, a connection attempt to one of them is abandoned after this time. */
const CONNECT_LIMIT_MS = 2_000;
/** The delay before a call is retried. The delay is short compared with a takeover, which takes seconds. */
const RETRY_DELAY_MS = 300;
/** By default, a call is retried for up to this time, but not after its deadline. A takeover takes up to 15 s. */
const REPEAT_LIMIT_MS = 20_000;
/** `onWait` is called after a call has waited for this time. */
const WAIT_NOTICE_MS = 2_000;

/** The connection to one coordinator. */
export interface Endpoint {
  readonly channel: ChannelInterface;
  /** The interceptors of the calls, such as those that add a token. */
  readonly interceptors: readonly Interceptor[];
}

export interface LeaderWait {
  /** The time for which a call is retried. Each attempt has the full time limit of the call. */
  readonly limitMs: number;
  /**
   * Called at most once: when a call has waited for WAIT_NOTICE_MS, and no coordinator has yet answered any call as the
   * leader.
   */
  readonly onWait: () => void;
}

/** Matches the errors of a connection that broke during a call. The coordinator may have run the call. */
const BROKEN = /RST_STREAM|HTTP status|GOAWAY/;
/** Matches the errors of a connection that the client or the coordinator rejects because of a certificate. */
const REJECTED = /certificate|altnames|unknown ca/i;

export class LeaderChannel implements ChannelInterface {
  readonly #addresses: LeaderAddresses;
  readonly #open: (address: string) => Endpoint;
  readonly #endpoints = new Map<string, Endpoint>();
  /** The time for which calls are retried; undefined for the default. */
  readonly waitMs: number | undefined;
  readonly #onWait: () => void;
  #isWaitKnown = false;
  #isClosed = false;

  /**
   * @param addresses HOST:PORT of each coordinator; at least one
   * @param open opens the connection to an address; may throw for an address that a coordinator named as the address of
   * the leader
   * @param wait default: calls are retried for up to 20 s, but not after their deadlines
   */
  constructor(addresses: readonly string[], open: (address: string) => Endpoint, wait?: LeaderWait) {
    this.#addresses = new LeaderAddresses(addresses);
    this.#open = open;
    this.waitMs = wait?.limitMs;
    this.#onWait = wait?.onWait ?? (() => {});
    this.endpoint();
  }

  /** The options of clients that use this channel. */
  get options(): Partial<ClientOptions> {
    return { channelOverride: this, interceptors: [followLeader(this)] };
  }

  /** HOST:PORT of the coordinator that is called now. */
  get address(): string {
    return this.#addresses.current;
  }

  get hasOthers(): boolean {
    return this.#addresses.hasOthers;
  }

  /** See LeaderAddresses. */
  get hasStandbys(): boolean {
    return this.#addresses.hasStandbys;
  }

  /** See LeaderAddresses. */
  get areRejected(): boolean {
    return this.#addresses.areRejected;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Records that a call has waited for a leader. @param waitedMs the time since the call began */
  onWaiting(waitedMs: number): void {
    if (this.#isWaitKnown || waitedMs < WAIT_NOTICE_MS) return;
    this.#isWaitKnown = true;
    this.#onWait();
  }

  /** Returns the connection to the current address. */
  endpoint(): Endpoint {
    const { current } = this.#addresses;
    const endpoint = this.#endpoints.get(current) ?? this.#open(current);
    this.#endpoints.set(current, endpoint);
    return endpoint;
  }

  /**
   * After a call to `address` has ended, chooses the address for later calls.
   * @returns whether the call can be retried. Every call can be retried if the coordinator did not run it. A call that
   * only reads can also be retried if its connection broke, if it had no answer in time, or if the leader could not run
   * it at the moment.
   */
  onStatus(address: string, { code, details, metadata }: StatusObject, path: string): boolean {
    if (code !== status.UNAVAILABLE) {
      if (code === status.CANCELLED || BROKEN.test(details)) return isRead(path);
      if (code === status.DEADLINE_EXCEEDED) {
        // If there is no answer, the coordinator may be unreachable, or may only be slow.
        if (address === this.address) this.#addresses.onSilent(performance.now());
        return isRead(path);
      }
      this.#onAnswer(address);
      return false;
    }
    if (metadata.get(REACHED_HEADER).length > 0) {
      this.#onAnswer(address);
      return isRead(path);
    }
    const leader = metadata.get(LEADER_HEADER)[0]?.toString();
    const wasSent = leader === undefined && !/No connection established|Name resolution failed/.test(details);
    // Another call may have changed the address in the meantime.
    if (address === this.address) this.leave(leader, REJECTED.test(details));
    return !wasSent || isRead(path);
  }

  #onAnswer(address: string): void {
    this.#isWaitKnown = true;
    this.#addresses.onAnswer(address);
  }

  /**
   * Chooses another address, because the current coordinator does not lead or could not be reached.
   * @param leader the leader that the coordinator named; empty if it named no leader; undefined if the coordinator
   * could not be reached
   * @param isRejected whether the client or the coordinator rejected the connection because of a certificate
   */
  leave(leader: string | undefined, isRejected = false): void {
    const now = performance.now();
    if (leader === undefined) this.#addresses.onUnreachable(now, isRejected);
    else this.#addresses.onStandby(leader, now);
    try {
      this.endpoint();
    } catch {
      this.#addresses.onUnreachable(now, true);
    }
  }

  /**
   * If there are several addresses, waits until the connection attempt to the current address succeeds or fails. An
   * attempt that takes too long is abandoned, and the next address becomes the current one.
   * @returns false if the attempt was abandoned
   */
  async connect(): Promise<boolean> {
    if (!this.hasOthers || this.#isClosed) return true;
    const { address } = this;
    if (await connects(this.endpoint().channel)) return true;
    if (!this.#isClosed && address === this.address) this.leave(undefined);
    return false;
  }

  createCall(...args: Parameters<ChannelInterface['createCall']>): ReturnType<ChannelInterface['createCall']> {
    return this.endpoint().channel.createCall(...args);
  }

  getTarget(): string {
    return this.endpoint().channel.getTarget();
  }

  getConnectivityState(tryToConnect: boolean): connectivityState {
    return this.endpoint().channel.getConnectivityState(tryToConnect);
  }

  watchConnectivityState(...args: Parameters<ChannelInterface['watchConnectivityState']>): void {
    this.endpoint().channel.watchConnectivityState(...args);
  }

  getChannelzRef(): ReturnType<ChannelInterface['getChannelzRef']> {
    return this.endpoint().channel.getChannelzRef();
  }

  /**
   * Closes all connections. Several clients can share the channel, and each of them calls this method, so only the
   * first call has an effect.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const { channel } of this.#endpoints.values()) channel.close();
  }
}

/** @returns false if the connection attempt takes too long; true if it succeeds or fails in time */
async function connects(channel: ChannelInterface): Promise<boolean> {
  const deadline = Date.now() + CONNECT_LIMIT_MS;
  while (true) {
    const state = channel.getConnectivityState(true);
    if (state !== connectivityState.IDLE && state !== connectivityState.CONNECTING) return true;
    const isLate = await new Promise<boolean>((resolve) => {
      channel.watchConnectivityState(state, deadline, (error) => resolve(error !== undefined));
    });
    if (isLate) return false;
  }
}

function followLeader(channel: LeaderChannel): Interceptor {
  return (options, nextCall) => new InterceptingCall(new FollowingCall(channel, options, nextCall));
}

/** Begins a call with the interceptors of an endpoint. */
function intercepted({ interceptors }: Endpoint, options: CallOptions, nextCall: NextCall): Call {
  const begin = interceptors.reduceRight<NextCall>(
    (next, interceptor) => (given) => interceptor(given, next),
    nextCall,
  );
  return begin(options);
}

/** A call that begins once its coordinator is connected. A call with one request message can be retried. */
class FollowingCall implements Call {
  readonly #channel: LeaderChannel;
  readonly #options: CallOptions;
  readonly #nextCall: NextCall;
  #call: Call | undefined;
  #isStarted = false;
  #listener: Partial<InterceptingListener> = {};
  /**
   * The message that the caller sent before the call began. There is at most one, because the caller waits until a
   * message was sent before it sends the next one.
   */
  #pending: { readonly context: MessageContext; readonly value: unknown } | undefined;
  /** The request message, if the call can be retried. */
  #message: unknown;
  #isHalfClosed = false;
  #isReading = false;
  #retries = 0;
  #hasReceived = false;
  #isCancelled = false;
  #isEnded = false;
  readonly #createdAt = Date.now();
  /** The time limit of each attempt, in milliseconds; undefined if all attempts share the deadline of the call. */
  readonly #attemptMs: number | undefined;
  readonly #repeatUntil: number;

  constructor(channel: LeaderChannel, options: CallOptions, nextCall: NextCall) {
    this.#channel = channel;
    this.#options = options;
    this.#nextCall = nextCall;
    const { waitMs } = channel;
    const deadline = Number(options.deadline ?? Number.POSITIVE_INFINITY);
    if (waitMs === undefined) this.#repeatUntil = Math.min(deadline, this.#createdAt + REPEAT_LIMIT_MS);
    else {
      this.#repeatUntil = this.#createdAt + waitMs;
      if (Number.isFinite(deadline)) this.#attemptMs = deadline - this.#createdAt;
    }
  }

  start(metadata: Metadata, listener: Partial<InterceptingListener> = {}): void {
    this.#isStarted = true;
    this.#listener = listener;
    if (this.#channel.hasOthers) void this.#connectAndBegin(metadata);
    else this.#begin(metadata);
  }

  /** Tries the addresses in turn until one of them accepts or refuses a connection. */
  async #connectAndBegin(metadata: Metadata): Promise<void> {
    while (!(await this.#channel.connect())) {
      if (this.#isEnded) return;
      this.#channel.onWaiting(Date.now() - this.#createdAt);
      if (!this.#channel.isClosed && Date.now() >= this.#repeatUntil) {
        const details = 'connection timed out';
        return this.#end({ code: status.UNAVAILABLE, details, metadata: new Metadata() });
      }
    }
    this.#begin(metadata);
  }

  #begin(metadata: Metadata): void {
    if (this.#isEnded) return;
    if (this.#channel.isClosed) {
      this.#end({ code: status.CANCELLED, details: 'the connection was closed', metadata: new Metadata() });
      return;
    }
    const { address } = this.#channel;
    const call = intercepted(this.#channel.endpoint(), this.#attemptOptions(), this.#nextCall);
    this.#call = call;
    call.start(metadata.clone(), {
      onReceiveMetadata: (received) => this.#listener.onReceiveMetadata?.(received),
      onReceiveMessage: (message) => {
        // gRPC passes null as the message if a call with a single response message fails.
        if (message === null) return;
        this.#hasReceived = true;
        this.#listener.onReceiveMessage?.(message);
      },
      onReceiveStatus: (ended) => {
        const isRepeatable = this.#channel.onStatus(address, ended, this.#options.method_definition.path);
        if (isRepeatable && !this.#hasReceived && this.#mayRepeat()) this.#repeatLater(metadata, address);
        else this.#end(ended);
      },
    });
    if (this.#pending !== undefined) call.sendMessageWithContext(this.#pending.context, this.#pending.value);
    else if (this.#message !== undefined) call.sendMessage(this.#message);
    this.#pending = undefined;
    if (this.#isHalfClosed) call.halfClose();
    if (this.#isReading) call.startRead();
  }

  #attemptOptions(): CallOptions {
    if (this.#attemptMs === undefined || !this.#channel.hasStandbys) return this.#options;
    return { ...this.#options, deadline: Date.now() + this.#attemptMs };
  }

  #end(ended: StatusObject): void {
    this.#isEnded = true;
    this.#listener.onReceiveStatus?.(ended);
  }

  /**
   * Whether a failed call may be repeated. With several coordinators, a call is repeated until `#repeatUntil`, because
   * a takeover takes seconds.
   */
  #mayRepeat(): boolean {
    if (this.#channel.isClosed || this.#isEnded || this.#isCancelled) return false;
    if (this.#options.method_definition.requestStream || this.#channel.areRejected) return false;
    return this.#channel.hasStandbys && Date.now() + RETRY_DELAY_MS < this.#repeatUntil;
  }

  #repeatLater(metadata: Metadata, address: string): void {
    this.#call = undefined;
    this.#retries += 1;
    this.#channel.onWaiting(Date.now() - this.#createdAt);
    // If the first retry goes to another address, it needs no delay.
    const delayMs = this.#retries === 1 && this.#channel.address !== address ? 0 : RETRY_DELAY_MS;
    setTimeout(() => void this.#connectAndBegin(metadata), delayMs);
  }

  sendMessageWithContext(context: MessageContext, value: unknown): void {
    if (!this.#options.method_definition.requestStream) this.#message = value;
    if (this.#call === undefined) this.#pending = { context, value };
    else this.#call.sendMessageWithContext(context, value);
  }

  sendMessage(value: unknown): void {
    this.sendMessageWithContext({}, value);
  }

  startRead(): void {
    this.#isReading = true;
    this.#call?.startRead();
  }

  halfClose(): void {
    this.#isHalfClosed = true;
    this.#call?.halfClose();
  }

  cancelWithStatus(code: status, details: string): void {
    this.#isCancelled = true;
    if (this.#call !== undefined) this.#call.cancelWithStatus(code, details);
    else if (this.#isStarted && !this.#isEnded) this.#end({ code, details, metadata: new Metadata() });
  }

  getPeer(): string {
    return this.#call?.getPeer() ?? this.#channel.getTarget();
  }

  getAuthContext(): ReturnType<Call['getAuthContext']> {
    return this.#call?.getAuthContext() ?? null;
  }
}
