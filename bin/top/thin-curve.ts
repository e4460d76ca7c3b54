/** Keeps a curve of any length within a limited size. */
import type { Report } from '../../proto/gen/trawl/v1/types.ts';

/**
 * The maximum size of a curve's points in memory, in characters: enough for more points than a terminal has columns.
 */
const MAX_CHARACTERS = 4 * 1024 * 1024;
const CHARACTERS_PER_VALUE = 20;
const CHARACTERS_PER_POINT = 100;

/**
 * A curve that drops every other point whenever its size exceeds the limit. The first and the newest point are kept.
 */
export class ThinCurve {
  readonly #maxCharacters: number;
  #points: Report[] = [];
  #newest: Report | undefined;
  #characters = 0;
  #every = 1;
  #added = 0;

  constructor(maxCharacters = MAX_CHARACTERS) {
    this.#maxCharacters = maxCharacters;
  }

  add(report: Report): void {
    this.#newest = report;
    if (this.#added++ % this.#every !== 0) return;
    this.#points.push(report);
    this.#characters += charactersOf(report);
    while (this.#characters > this.#maxCharacters && this.#points.length > 1) {
      this.#points = this.#points.filter((_, at) => at % 2 === 0);
      this.#every *= 2;
      this.#characters = this.#points.reduce((sum, point) => sum + charactersOf(point), 0);
    }
  }

  get points(): readonly Report[] {
    if (this.#newest === undefined || this.#points.at(-1) === this.#newest) return this.#points;
    return [...this.#points, this.#newest];
  }
}

function charactersOf({ metrics }: Report): number {
  const names = Object.keys(metrics);
  return names.reduce((sum, name) => sum + name.length + CHARACTERS_PER_VALUE, CHARACTERS_PER_POINT);
}
