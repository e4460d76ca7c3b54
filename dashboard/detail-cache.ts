/** What is asked of the source beside the Watch stream, as far as the screen shows it: curves, a trial's details, logs. */
import { decode } from 'fast-png';
import { visibleLines } from '../lib/text/visible-text.ts';
import type { GetTrialResponse } from '../proto/gen/trawl/v1/sweep_service.ts';
import type { Artifact, Event, Sweep, Trial } from '../proto/gen/trawl/v1/types.ts';
import { artifactKind } from '../proto/names.ts';
import type { PixelImage } from './draw/pixel-image.ts';
import type { Source } from './source.ts';
import { CurveCache } from './state/curve-cache.ts';
import type { Importance, ReconstructionImage, TrialDetail } from './state/model.ts';
import { isNotable } from './state/reducer.ts';

/** Trials whose curves are asked for at once. */
const CURVES_AT_ONCE = 64;
/** Between two questions about the same thing. */
const AGAIN_MS = 1_000;
const SWEEPS_AGAIN_MS = 2_000;
const IMPORTANCE_AGAIN_MS = 3_000;
/** Of a log that is followed. */
const LOG_LINES_KEPT = 5_000;
/** A larger picture is none of an autoencoder's ten digits. */
const MAX_PICTURE_BYTES = 4 << 20;
const MAX_PIXELS = 4 << 20;

interface Detail extends TrialDetail {
  /** The trial's row when it was asked for: another one makes it worth asking again. */
  readonly of: string;
  readonly atMs: number;
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
  #pictures = 0;
  #sweeps: readonly Sweep[] = [];
  #sweepsAskedMs = 0;
  #explained: { readonly trialId: string; readonly lines: readonly string[] } | undefined;
  #earlier: readonly Event[] | undefined;
  #importance: Importance | undefined;
  #log: { readonly key: string; readonly stop: AbortController; lines: string[] } | undefined;

  constructor(
    source: Source,
    sweepId: string,
    heard: { readonly onChange: () => void; readonly onError: (error: unknown) => void },
  ) {
    this.#source = source;
    this.#sweepId = sweepId;
    this.#onChange = heard.onChange;
    this.#onError = heard.onError;
  }

  get details(): ReadonlyMap<string, TrialDetail> {
    return this.#details;
  }

  get sweeps(): readonly Sweep[] {
    return this.#sweeps;
  }

  /** When what `sweeps` holds was asked for; 0: never. */
  get sweepsRequestedMs(): number {
    return this.#sweepsAskedMs;
  }

  get explanation(): readonly string[] {
    return this.#explained?.lines ?? [];
  }

  get earlierEvents(): readonly Event[] {
    return this.#earlier ?? [];
  }

  get importance(): Importance | undefined {
    return this.#importance;
  }

  /** Whether no answer is waited for, a followed log apart. */
  get idle(): boolean {
    return this.#busy.size === 0;
  }

  get log(): readonly string[] {
    return this.#log?.lines ?? [];
  }

  requestCurves(trials: readonly Trial[], now: number): void {
    const missing = this.curves.touch(trials).slice(0, CURVES_AT_ONCE);
    if (missing.length === 0) return;
    this.#ask('curves', now, 200, async () => {
      const found = await this.#source.curves(this.#sweepId, missing);
      for (const id of missing) this.curves.store(id, found.get(id) ?? []);
    });
  }

  /** @param epoch which reconstruction is shown, given those that there are */
  requestTrial(trial: Trial, now: number, epoch: (detail: TrialDetail) => number | undefined): void {
    const of = [trial.state, trial.attempts, trial.epoch].join();
    const known = this.#details.get(trial.id);
    if (known?.of !== of) {
      this.#ask(`trial ${trial.id}`, now, AGAIN_MS, async () => {
        const answer = await this.#source.trial(this.#sweepId, trial.id);
        const images = this.#details.get(trial.id)?.images ?? new Map<number, ReconstructionImage>();
        this.#details.set(trial.id, { answer, epochs: epochsOf(answer), images, of, atMs: now });
      });
    }
    if (known === undefined) return;
    const shown = epoch(known);
    const artifact = shown === undefined ? undefined : pictureAt(known.answer, shown);
    if (shown === undefined || artifact === undefined || known.images.has(shown)) return;
    this.#ask(`picture ${trial.id} ${shown}`, now, AGAIN_MS, async () => {
      const png = await this.#source.artifact(this.#sweepId, trial.id, artifact.attempt, artifact.name);
      const before = this.#details.get(trial.id);
      if (before === undefined) return;
      const images = new Map(before.images).set(shown, { png, pixels: greyOf(png), number: ++this.#pictures });
      this.#details.set(trial.id, { ...before, images });
    });
  }

  /** Follows the log of a trial's latest attempt, and of no other. */
  followLog(trial: Trial | undefined): void {
    const key = trial === undefined ? '' : `${trial.id} ${trial.attempts}`;
    if (this.#log?.key === key) return;
    this.#log?.stop.abort();
    if (trial === undefined || trial.attempts === 0) {
      this.#log = undefined;
      return;
    }
    const log = { key, stop: new AbortController(), lines: [] as string[] };
    this.#log = log;
    void this.#follow(log, trial.id);
  }

  async #follow(log: { readonly stop: AbortController; lines: string[] }, trialId: string): Promise<void> {
    let last = '';
    try {
      for await (const piece of this.#source.log(this.#sweepId, trialId, log.stop.signal)) {
        const [first = '', ...rest] = (last + piece).split('\n');
        const lines = [first, ...rest];
        last = lines.pop() ?? '';
        log.lines = [...log.lines, ...lines.map(shownLine)].slice(-LOG_LINES_KEPT);
        this.#onChange();
      }
      if (last !== '') log.lines = [...log.lines, shownLine(last)];
    } catch (error) {
      if (!log.stop.signal.aborted) this.#onError(error);
    }
    this.#onChange();
  }

  requestExplanation(trialId: string, now: number): void {
    if (this.#explained?.trialId !== trialId) this.#explained = undefined;
    this.#ask(`explain ${trialId}`, now, AGAIN_MS, async () => {
      this.#explained = { trialId, lines: await this.#source.explain(this.#sweepId, trialId) };
    });
  }

  requestSweeps(now: number): void {
    this.#ask('sweeps', now, SWEEPS_AGAIN_MS, async () => {
      this.#sweeps = await this.#source.sweeps();
      this.#sweepsAskedMs = now;
    });
  }

  /** What happened up to an event: once, for it does not change. */
  requestEarlierEvents(until: number, now: number): void {
    if (this.#earlier !== undefined || until === 0) return;
    this.#ask('earlier events', now, AGAIN_MS, async () => {
      this.#earlier = (await this.#source.earlierEvents(this.#sweepId, until)).filter(isNotable);
    });
  }

  requestImportance(trials: () => readonly Trial[], metric: string, axes: readonly string[], now: number): void {
    this.#ask(`importance ${metric}`, now, IMPORTANCE_AGAIN_MS, async () => {
      this.#importance = await this.#source.importance(trials(), metric, axes);
    });
  }

  /** After a break: what was known may be behind. */
  invalidate(): void {
    this.curves.invalidate();
    this.#notBefore.clear();
  }

  stop(): void {
    this.#log?.stop.abort();
  }

  /** One question of a name at a time, and not again before `againMs` have passed. */
  #ask(name: string, now: number, againMs: number, question: () => Promise<void>): void {
    if (this.#busy.has(name) || now < (this.#notBefore.get(name) ?? 0)) return;
    this.#busy.add(name);
    this.#notBefore.set(name, now + againMs);
    question()
      .catch(this.#onError)
      .finally(() => {
        this.#busy.delete(name);
        this.#onChange();
      });
  }
}

const shownLine = (text: string): string => visibleLines(text).replaceAll('\t', '    ');

function pictures({ artifacts }: GetTrialResponse): Artifact[] {
  return artifacts.filter(({ kind, name, size }) => {
    return artifactKind.of(kind) === 'reconstruction' && name.endsWith('.png') && size <= MAX_PICTURE_BYTES;
  });
}

const epochsOf = (answer: GetTrialResponse): number[] =>
  [...new Set(pictures(answer).map(({ epoch }) => epoch))].sort((a, b) => a - b);

/** Of the newest attempt that has one of that epoch. */
const pictureAt = (answer: GetTrialResponse, epoch: number): Artifact | undefined =>
  pictures(answer)
    .filter((artifact) => artifact.epoch === epoch)
    .sort((a, b) => b.attempt - a.attempt)[0];

/** @throws {Error} when it is no PNG, or an enormous one */
function greyOf(png: Uint8Array): PixelImage {
  const { width, height, data, channels, depth } = decode(png);
  if (width * height > MAX_PIXELS) throw new Error(`a picture of ${width} x ${height} is too large to be shown`);
  const scale = depth === 16 ? 1 / 257 : 1;
  const colours = channels >= 3 ? 3 : 1;
  const pixels = Uint8Array.from({ length: width * height }, (_, i) => {
    let sum = 0;
    for (let c = 0; c < colours; c++) sum += data[i * channels + c] ?? 0;
    return (sum / colours) * scale;
  });
  return { width, height, pixels };
}
