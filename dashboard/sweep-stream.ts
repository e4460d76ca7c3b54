/** Follows the Watch stream of one sweep. If the sweep ends and then runs again, follows the stream again. */
import { sweepEnded } from '../lib/domain/trial-state.ts';
import type { WatchResponse } from '../proto/gen/trawl/v1/sweep_service.ts';
import type { Sweep } from '../proto/gen/trawl/v1/types.ts';
import type { Source } from './source.ts';
import type { ConnectionStatus } from './state/model.ts';

export interface StreamListener {
  readonly now: () => number;
  readonly onChange: () => void;
  /** Called when a lost connection is restored. */
  readonly onReconnect: () => void;
  /** Called when the stream has ended because the sweep has ended. */
  readonly onEnded: () => void;
  readonly onFailed: (error: unknown) => void;
}

const CONNECTED: ConnectionStatus = { lostSinceMs: undefined, reason: '' };

export class SweepStream {
  readonly #source: Source;
  readonly #sweepId: string;
  readonly #listener: StreamListener;
  readonly #stop = new AbortController();
  #connection: ConnectionStatus = CONNECTED;
  #pending: WatchResponse[] = [];
  #complete = false;
  #endedMs: number | undefined;

  constructor(source: Source, sweepId: string, listener: StreamListener) {
    this.#source = source;
    this.#sweepId = sweepId;
    this.#listener = listener;
  }

  get connection(): ConnectionStatus {
    return this.#connection;
  }

  /** Whether all parts of the newest update have arrived. */
  get complete(): boolean {
    return this.#complete;
  }

  get hasUpdates(): boolean {
    return this.#pending.length > 0;
  }

  get ended(): boolean {
    return this.#endedMs !== undefined;
  }

  /** Returns the updates since the last call. */
  takeUpdates(): readonly WatchResponse[] {
    return this.#pending.splice(0);
  }

  start(): void {
    void this.#follow();
  }

  stop(): void {
    this.#stop.abort();
  }

  /** Follows the stream again if it belongs to the given sweep and has ended. */
  restart(sweepId: string): void {
    if (sweepId !== this.#sweepId || this.#endedMs === undefined) return;
    this.#endedMs = undefined;
    void this.#follow();
  }

  /**
   * Follows an ended stream again if `sweeps` shows that the sweep is active. Does nothing if `sweeps` was requested
   * before the stream ended.
   */
  restartIfRunning(sweeps: readonly Sweep[], requestedMs: number): void {
    if (this.#endedMs === undefined || requestedMs <= this.#endedMs) return;
    if (sweeps.some((sweep) => sweep.id === this.#sweepId && !sweepEnded(sweep))) this.restart(this.#sweepId);
  }

  async #follow(): Promise<void> {
    const { now, onChange, onEnded, onFailed } = this.#listener;
    const { signal } = this.#stop;
    const onOutage = (reason: string) => {
      this.#connection = { lostSinceMs: now(), reason };
      onChange();
    };
    const onReconnect = () => {
      this.#connection = CONNECTED;
      this.#listener.onReconnect();
      onChange();
    };
    try {
      for await (const response of this.#source.watch(this.#sweepId, { signal, onOutage, onReconnect })) {
        if (signal.aborted) return;
        this.#pending.push(response);
        const { update } = response;
        this.#complete = !(update?.$case === 'snapshot' ? update.snapshot.more : update?.delta.more);
      }
      if (signal.aborted) return;
      this.#endedMs = now();
      onEnded();
    } catch (error) {
      if (!signal.aborted) onFailed(error);
    }
  }
}
