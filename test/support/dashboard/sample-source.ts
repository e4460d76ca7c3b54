/** A source for tests. The source answers immediately with given messages, and records the requests. */
import { encode } from 'fast-png';
import { differencesFromFirst } from '../../../coordinator/analysis/mean-differences.ts';
import type { ParameterImportance, RetrySelection, Source, SweepActionName } from '../../../dashboard/source.ts';
import type { GetTrialResponse, ListRungsResponse, WatchResponse } from '../../../proto/gen/trawl/v1/sweep_service.ts';
import {
  type Agent,
  type Artifact,
  type Config,
  type Event,
  type Report,
  type Sweep,
  Trial,
} from '../../../proto/gen/trawl/v1/types.ts';
import { sampleAgent, sampleSweep } from './sample.ts';

export interface SampleAnswers {
  readonly updates: readonly WatchResponse[];
  readonly sweeps?: readonly Sweep[];
  readonly best?: (sweepId: string) => readonly Config[];
  readonly rungs?: ListRungsResponse;
  readonly earlier?: readonly Event[];
  readonly curves?: ReadonlyMap<string, readonly Report[]>;
  readonly trial?: (trialId: string) => GetTrialResponse;
  readonly log?: string | AsyncIterable<string>;
  readonly importance?: ParameterImportance;
  readonly act?: (act: SweepActionName) => Sweep;
  readonly retry?: (which: RetrySelection) => { readonly sweep: Sweep; readonly retried: number };
  readonly explain?: readonly string[];
}

export class SampleSource implements Source {
  readonly acts: [string, SweepActionName][] = [];
  readonly retries: [string, RetrySelection][] = [];
  readonly priorities: [string, number][] = [];
  readonly drains: [string, boolean][] = [];
  readonly killed: [string, string][] = [];
  readonly watched: string[] = [];
  readonly #answers: SampleAnswers;
  readonly #later: WatchResponse[] = [];
  #wake: () => void = () => {};
  #over = false;
  #heard: Parameters<Source['watch']>[1] | undefined;

  constructor(answers: SampleAnswers) {
    this.#answers = answers;
  }

  /** Sends further messages on the stream. */
  push(...updates: readonly WatchResponse[]): void {
    this.#later.push(...updates);
    this.#wake();
  }

  /** Ends the stream. */
  end(): void {
    this.#over = true;
    this.#wake();
  }

  /** Simulates a lost connection with the given reason, or a restored connection if the reason is undefined. */
  setOutage(away: string | undefined): void {
    if (away === undefined) this.#heard?.onReconnect();
    else this.#heard?.onOutage(away);
  }

  async find(sweep: string): Promise<string> {
    return sweep === 'last' ? '7' : sweep;
  }

  async *watch(sweepId: string, heard: Parameters<Source['watch']>[1]): AsyncGenerator<WatchResponse> {
    this.#heard = heard;
    this.watched.push(sweepId);
    yield* this.#answers.updates;
    while (!this.#over && !heard.signal.aborted) {
      yield* this.#later.splice(0);
      await new Promise<void>((resolve) => {
        const wake = () => {
          heard.signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#wake = wake;
        heard.signal.addEventListener('abort', wake);
        if (this.#later.length > 0 || this.#over) wake();
      });
    }
    yield* this.#later.splice(0);
  }

  async earlierEvents(_sweep: string, until: number): Promise<readonly Event[]> {
    return (this.#answers.earlier ?? []).filter(({ seq }) => seq <= until);
  }

  async sweeps(): Promise<readonly Sweep[]> {
    return this.#answers.sweeps ?? [];
  }

  async best(sweepId: string): Promise<readonly Config[]> {
    return this.#answers.best?.(sweepId) ?? [];
  }

  async rungs(): Promise<ListRungsResponse> {
    return this.#answers.rungs ?? { rule: '', rungs: [] };
  }

  async curves(_sweep: string, ids: readonly string[]): Promise<ReadonlyMap<string, readonly Report[]>> {
    return new Map(ids.map((id) => [id, this.#answers.curves?.get(id) ?? []]));
  }

  async trial(_sweep: string, trialId: string): Promise<GetTrialResponse> {
    return this.#answers.trial?.(trialId) ?? { trial: undefined, attempts: [], artifacts: [], programs: [], rungs: [] };
  }

  async *log(): AsyncGenerator<string> {
    const { log = '' } = this.#answers;
    if (typeof log === 'string') yield log;
    else yield* log;
  }

  async artifact(): Promise<Uint8Array> {
    return encode({ width: 40, height: 12, channels: 1, data: squares(40, 12) });
  }

  async controlSweep(sweepId: string, act: SweepActionName): Promise<Sweep> {
    this.acts.push([sweepId, act]);
    if (this.#answers.act === undefined) throw new Error('no canned answer');
    return this.#answers.act(act);
  }

  async killTrial(sweepId: string, trialId: string): Promise<Trial> {
    this.killed.push([sweepId, trialId]);
    return Trial.fromPartial({ id: trialId, state: 'TRIAL_STATE_CANCELLED' });
  }

  async retry(sweepId: string, which: RetrySelection): Promise<{ readonly sweep: Sweep; readonly retried: number }> {
    this.retries.push([sweepId, which]);
    if (this.#answers.retry === undefined) throw new Error('no canned answer');
    return this.#answers.retry(which);
  }

  async prioritize(sweepId: string, priority: number): Promise<Sweep> {
    this.priorities.push([sweepId, priority]);
    return sampleSweep({ id: sweepId, priority });
  }

  async explain(): Promise<readonly string[]> {
    return this.#answers.explain ?? [];
  }

  async drain(agentId: string, on: boolean): Promise<Agent> {
    this.drains.push([agentId, on]);
    return sampleAgent({ id: agentId, state: on ? 'AGENT_STATE_DRAINING' : 'AGENT_STATE_CONNECTED' });
  }

  differences = differencesFromFirst;

  async importance(_trials: unknown, metric: string): Promise<ParameterImportance> {
    return this.#answers.importance ?? { metric, why: '', estimated: false, effects: [], interactions: [] };
  }
}

function squares(width: number, height: number): Uint8Array {
  return Uint8Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return Math.floor(x / 4) % 2 === Math.floor(y / 4) % 2 ? 255 : 0;
  });
}

export const reconstructionArtifact = (epoch: number): Artifact => ({
  attempt: 1,
  name: `reconstructions/epoch-${epoch}.png`,
  kind: 'ARTIFACT_KIND_RECONSTRUCTION',
  epoch,
  size: 100,
  sha256: '',
  atMs: 0,
});
