import type { Trial } from '../../proto/gen/trawl/v1/types.ts';

const BUCKETS = 4096;

/**
 * An immutable map of trials by id. A changed copy shares the unchanged buckets with the original. Complete copies
 * would take too long, because a sweep of 100,000 trials can get 1,000 reports per second.
 */
export class TrialMap implements ReadonlyMap<string, Trial> {
  readonly #buckets: readonly (ReadonlyMap<string, Trial> | undefined)[];
  readonly size: number;

  constructor(buckets: readonly (ReadonlyMap<string, Trial> | undefined)[] = [], size = 0) {
    this.#buckets = buckets;
    this.size = size;
  }

  /** Returns a copy with the given trials added or replaced. */
  with(trials: readonly Trial[]): TrialMap {
    if (trials.length === 0) return this;
    const buckets = this.#buckets.length === 0 ? Array<undefined>(BUCKETS).fill(undefined) : [...this.#buckets];
    const own = new Map<number, Map<string, Trial>>();
    let { size } = this;
    for (const trial of trials) {
      const at = bucketOf(trial.id);
      let bucket = own.get(at);
      if (bucket === undefined) {
        bucket = new Map(buckets[at]);
        own.set(at, bucket);
      }
      if (!bucket.has(trial.id)) size++;
      bucket.set(trial.id, trial);
    }
    const next: (ReadonlyMap<string, Trial> | undefined)[] = buckets;
    for (const [at, bucket] of own) next[at] = bucket;
    return new TrialMap(next, size);
  }

  get(id: string): Trial | undefined {
    return this.#buckets[bucketOf(id)]?.get(id);
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  *values(): MapIterator<Trial> {
    for (const bucket of this.#buckets) if (bucket !== undefined) yield* bucket.values();
  }

  *keys(): MapIterator<string> {
    for (const { id } of this.values()) yield id;
  }

  *entries(): MapIterator<[string, Trial]> {
    for (const trial of this.values()) yield [trial.id, trial];
  }

  [Symbol.iterator](): MapIterator<[string, Trial]> {
    return this.entries();
  }

  forEach(each: (trial: Trial, id: string, map: ReadonlyMap<string, Trial>) => void): void {
    for (const bucket of this.#buckets) for (const trial of bucket?.values() ?? []) each(trial, trial.id, this);
  }
}

/** Derives the bucket from a hash of the id, because the ids themselves need not be evenly distributed. */
function bucketOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % BUCKETS;
}
