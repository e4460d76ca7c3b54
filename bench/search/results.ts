/** Stores the regrets of finished searches in a file, so that an interrupted benchmark can continue. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';

export type Method = 'optuna default' | 'optuna multivariate+group' | 'tpe';

interface Row {
  readonly f: string;
  readonly method: Method;
  readonly seed: number;
  /** The lowest function value among the points of the search, minus the minimum of the function. */
  readonly regret: number;
}

export class Results {
  readonly #path: string;
  readonly #regrets = new Map<string, number>();

  constructor(path: string) {
    this.#path = path;
    if (!existsSync(path)) return;
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      if (line === '') continue;
      const { f, method, seed, regret } = JSON.parse(line) as Row;
      this.#regrets.set(keyOf(f, method, seed), regret);
    }
  }

  get(f: string, method: Method, seed: number): number | undefined {
    return this.#regrets.get(keyOf(f, method, seed));
  }

  add(row: Row): void {
    this.#regrets.set(keyOf(row.f, row.method, row.seed), row.regret);
    appendFileSync(this.#path, `${JSON.stringify(row)}\n`);
  }
}

function keyOf(f: string, method: Method, seed: number): string {
  return JSON.stringify([f, method, seed]);
}
