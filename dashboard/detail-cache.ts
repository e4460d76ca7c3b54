/**
 * Fetches and caches the data that the screen shows but the Watch stream does not contain, such as curves and logs.
 */
import { decode } from 'fast-png';
import { endedTotal } from '../lib/domain/trial-state.ts';
import type { GetTrialResponse, ListRungsResponse } from '../proto/gen/trawl/v1/sweep_service.ts';
import type { Artifact, Config, Event, Sweep, Trial } from '../proto/gen/trawl/v1/types.ts';
import { artifactKind } from '../proto/names.ts';
import type { PixelImage } from './draw/pixel-image.ts';
import type { ParameterImportance, Source } from './source.ts';
import { attemptIdOf, CurveCache } from './state/curve-cache.ts';
import { logLine } from './state/log-line.ts';
import { appendLines, EMPTY_LOG, type LogText } from './state/log-text.ts';
import type { ReconstructionImage, TrialDetail } from './state/model.ts';
import { isNotable } from './state/reducer.ts';

const CURVES_PER_REQUEST = 64;
const CURVES_INTERVAL_MS = 200;
const REQUEST_INTERVAL_MS = 1_000;
const SWEEPS_INTERVAL_MS = 2_000;
/**
 * The minimum interval between two requests for the best configs. The coordinator needs up to half a second to rank a
 * large sweep.
 */
const BEST_INTERVAL_MS = 1_000;
const BEST_CONFIGS = 10;
const RUNGS_INTERVAL_MS = 2_000;
const IMPORTANCE_INTERVAL_MS = 3_000;
const SLOTS_PER_REQUEST = 8;
const SLOTS_INTERVAL_MS = 500;
const MAX_LOG_LINES = 5_000;
const MAX_IMAGE_BYTES = 4 << 20;
const MAX_PIXELS = 4 << 20;

interface Detail extends TrialDetail {
  /**
   * The state, attempt and epoch of the trial when the details were requested. The details are stale if the trial has
   * changed since.
   */
  readonly revision: string;
}

export class DetailCache {
  readonly curves = new CurveCache();
  readonly #source: Source;
  readonly #sweepId: string;
  readonly #onChange: () => void;
  readonly #onError: (error: unknown) => void;
  readonly #busy = new Set<string>();
  readonly #notBefore = new Map<string, number>();
  readonly #details = new Map<string, Detail>();
  /** The slots of running trials, by attempt. */
  readonly #slots = new Map<string, number>();
  #imageCount = 0;
  #sweeps: readonly Sweep[] = [];
  #sweepsRequestedMs = 0;
  #explained: { readonly trialId: string; readonly lines: readonly string[] } | undefined;
  /**
   * The best configs of each sweep. `revision` is the number of the sweep's ended trials at the time of the request.
   */
  readonly #best = new Map<string, { readonly revision: number; readonly configs: readonly Config[] }>();
  #rungs: ListRungsResponse | undefined;
  #earlier: readonly Event[] | undefined;
  #importance: ParameterImportance | undefined;
  #log: { readonly key: string; readonly stop: AbortController; text: LogText } | undefined;

  constructor(
    source: Source,
    sweepId: string,
    listener: { readonly onChange: () => void; readonly onError: (error: unknown) => void },
  ) {
    this.#source = source;
    this.#sweepId = sweepId;
    this.#onChange = listener.onChange;
    this.#onError = listener.onError;
  }

  get details(): ReadonlyMap<string, TrialDetail> {
    return this.#details;
  }

  get sweeps(): readonly Sweep[] {
    return this.#sweeps;
  }

  /**
   * The time of the request that returned `sweeps`, in Unix milliseconds. Zero until the first list of sweeps has
   * arrived.
   */
  get sweepsRequestedMs(): number {
    return this.#sweepsRequestedMs;
  }

  get explanation(): readonly string[] {
    return this.#explained?.lines ?? [];
  }

  get earlierEvents(): readonly Event[] {
    return this.#earlier ?? [];
  }

  get importance(): ParameterImportance | undefined {
    return this.#importance;
  }

  /** Whether no request is pending. A log that is followed does not count as a request. */
  get idle(): boolean {
    return this.#busy.size === 0;
  }

  get log(): LogText {
    return this.#log?.text ?? EMPTY_LOG;
  }

  requestCurves(trials: readonly Trial[], now: number): void {
    const missing = this.curves.touch(trials).slice(0, CURVES_PER_REQUEST);
    if (missing.length === 0) return;
    this.#request('curves', now, CURVES_INTERVAL_MS, async () => {
      const found = await this.#source.curves(this.#sweepId, missing);
      for (const id of missing) this.curves.store(id, found.get(id) ?? []);
    });
  }

  /** @param epoch a function that returns the epoch whose reconstructions are shown */
  requestTrial(trial: Trial, now: number, epoch: (detail: TrialDetail) => number | undefined): void {
    const revision = [trial.state, trial.attempts, trial.epoch].join();
    const known = this.#details.get(trial.id);
    if (known?.revision !== revision) {
      this.#request(`trial ${trial.id}`, now, REQUEST_INTERVAL_MS, async () => {
        const answer = await this.#source.trial(this.#sweepId, trial.id);
        const images = this.#details.get(trial.id)?.images ?? new Map<number, ReconstructionImage>();
        this.#details.set(trial.id, { answer, epochs: epochsOf(answer), images, revision });
      });
    }
    if (known === undefined) return;
    const shown = epoch(known);
    const artifact = shown === undefined ? undefined : imageAt(known.answer, shown);
    if (shown === undefined || artifact === undefined || known.images.has(shown)) return;
    this.#request(`image ${trial.id} ${shown}`, now, REQUEST_INTERVAL_MS, async () => {
      const png = await this.#source.artifact(this.#sweepId, trial.id, artifact.attempt, artifact.name);
      const before = this.#details.get(trial.id);
      if (before === undefined) return;
      const images = new Map(before.images).set(shown, { png, pixels: decodeGray(png), number: ++this.#imageCount });
      this.#details.set(trial.id, { ...before, images });
    });
  }

  readonly slotOf = (trial: Trial): number | undefined => this.#slots.get(slotKey(trial));

  /** Requests the slots of running trials, each once per attempt. */
  requestSlots(running: readonly Trial[], now: number): void {
    const missing = running.filter((trial) => !this.#slots.has(slotKey(trial))).slice(0, SLOTS_PER_REQUEST);
    if (missing.length === 0) return;
    this.#request('slots', now, SLOTS_INTERVAL_MS, async () => {
      for (const trial of missing) {
        const { attempts } = await this.#source.trial(this.#sweepId, trial.id);
        const attempt = attempts.find(({ number }) => number === trial.attempts);
        if (attempt !== undefined) this.#slots.set(slotKey(trial), attempt.slot);
      }
    });
  }

  /** Follows the log of a trial's latest attempt, and stops following any other log. */
  followLog(trial: Trial | undefined): void {
    const key = trial === undefined ? '' : `${trial.id} ${trial.attempts}`;
    if (this.#log?.key === key) return;
    this.#log?.stop.abort();
    if (trial === undefined || trial.attempts === 0) {
      this.#log = undefined;
      return;
    }
    const log = { key, stop: new AbortController(), text: EMPTY_LOG };
    this.#log = log;
    void this.#follow(log, trial.id);
  }

  async #follow(log: { readonly stop: AbortController; text: LogText }, trialId: string): Promise<void> {
    let last = '';
    try {
      for await (const piece of this.#source.log(this.#sweepId, trialId, log.stop.signal)) {
        const [first = '', ...rest] = (last + piece).split('\n');
        const lines = [first, ...rest];
        last = lines.pop() ?? '';
        log.text = appendLines(log.text, lines.map(logLine), MAX_LOG_LINES);
        this.#onChange();
      }
      if (last !== '') log.text = appendLines(log.text, [logLine(last)], MAX_LOG_LINES);
    } catch (error) {
      if (!log.stop.signal.aborted) this.#onError(error);
    }
    this.#onChange();
  }

  requestExplanation(trialId: string, now: number): void {
    if (this.#explained?.trialId !== trialId) this.#explained = undefined;
    this.#request(`explain ${trialId}`, now, REQUEST_INTERVAL_MS, async () => {
      this.#explained = { trialId, lines: await this.#source.explain(this.#sweepId, trialId) };
    });
  }

  requestSweeps(now: number): void {
    this.#request('sweeps', now, SWEEPS_INTERVAL_MS, async () => {
      this.#sweeps = await this.#source.sweeps();
      this.#sweepsRequestedMs = now;
    });
  }

  readonly bestOf = (sweepId: string): readonly Config[] | undefined => this.#best.get(sweepId)?.configs;

  /** Requests the best configs of a sweep, unless they are known and no trial has ended since the last request. */
  requestBest(sweep: Sweep, now: number): void {
    const revision = endedTotal(sweep);
    if (this.#best.get(sweep.id)?.revision === revision) return;
    this.#request('best configs', now, BEST_INTERVAL_MS, async () => {
      this.#best.set(sweep.id, { revision, configs: await this.#source.best(sweep.id, BEST_CONFIGS) });
    });
  }

  get rungs(): ListRungsResponse | undefined {
    return this.#rungs;
  }

  requestRungs(now: number): void {
    this.#request('rungs', now, RUNGS_INTERVAL_MS, async () => {
      this.#rungs = await this.#source.rungs(this.#sweepId);
    });
  }

  /** Requests the events up to `until`. One request suffices, because past events do not change. */
  requestEarlierEvents(until: number, now: number): void {
    if (this.#earlier !== undefined || until === 0) return;
    this.#request('earlier events', now, REQUEST_INTERVAL_MS, async () => {
      this.#earlier = (await this.#source.earlierEvents(this.#sweepId, until)).filter(isNotable);
    });
  }

  requestImportance(trials: () => readonly Trial[], metric: string, axes: readonly string[], now: number): void {
    this.#request(`importance ${metric}`, now, IMPORTANCE_INTERVAL_MS, async () => {
      this.#importance = await this.#source.importance(trials(), metric, axes);
    });
  }

  /** After an outage, marks the curves as stale, and allows every request to start immediately. */
  invalidate(): void {
    this.curves.invalidate();
    this.#notBefore.clear();
  }

  stop(): void {
    this.#log?.stop.abort();
  }

  /** Starts a request, unless a request of the same name is pending or was started within the last `intervalMs`. */
  #request(name: string, now: number, intervalMs: number, fetch: () => Promise<void>): void {
    if (this.#busy.has(name) || now < (this.#notBefore.get(name) ?? 0)) return;
    this.#busy.add(name);
    this.#notBefore.set(name, now + intervalMs);
    fetch()
      .catch(this.#onError)
      .finally(() => {
        this.#busy.delete(name);
        this.#onChange();
      });
  }
}

const slotKey = (trial: Trial): string => `${trial.id} ${attemptIdOf(trial)}`;

function reconstructionsOf({ artifacts }: GetTrialResponse): Artifact[] {
  return artifacts.filter(({ kind, name, size }) => {
    return artifactKind.of(kind) === 'reconstruction' && name.endsWith('.png') && size <= MAX_IMAGE_BYTES;
  });
}

const epochsOf = (answer: GetTrialResponse): number[] =>
  [...new Set(reconstructionsOf(answer).map(({ epoch }) => epoch))].sort((a, b) => a - b);

const imageAt = (answer: GetTrialResponse, epoch: number): Artifact | undefined =>
  reconstructionsOf(answer)
    .filter((artifact) => artifact.epoch === epoch)
    .sort((a, b) => b.attempt - a.attempt)[0];

function decodeGray(png: Uint8Array): PixelImage {
  const { width, height, data, channels, depth } = decode(png);
  if (width * height > MAX_PIXELS) throw new Error(`image too large: ${width} x ${height} pixels`);
  const scale = depth === 16 ? 1 / 257 : 1;
  const colors = channels >= 3 ? 3 : 1;
  const pixels = Uint8Array.from({ length: width * height }, (_, i) => {
    let sum = 0;
    for (let c = 0; c < colors; c++) sum += data[i * channels + c] ?? 0;
    return (sum / colors) * scale;
  });
  return { width, height, pixels };
}
