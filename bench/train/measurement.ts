/** What the benchmark asks of a process that trains, one line of JSON each way. */

/** `trawl`: the trainer's own step; `stock`: the same net as a stock model; `matmul`: products of one size alone. */
export type Subject = 'trawl' | 'stock' | 'matmul';

export interface Request {
  readonly subject: Subject;
  readonly depth: 3 | 5;
  /** Images a step, of each member of a pack. */
  readonly batch: number;
  /** Trials trained together; 1 for other subjects than `trawl`. */
  readonly pack: number;
  /** How long to measure, after a warm-up where the subject is new. */
  readonly seconds: number;
}

export interface Answer {
  /** Steps, or products. */
  readonly count: number;
  readonly seconds: number;
  /** The fastest single one, in seconds: the least disturbed. Where a GPU works on by itself, of handing it over. */
  readonly least: number;
}

/** The first line that such a process prints, when it can be asked. */
export interface Ready {
  /** With versions and threads, for a person. */
  readonly description: string;
}

/** Images that are trained on, of MNIST's 60,000: a step's cost does not depend on their number. */
export const IMAGES = 10_000;
export const LATENT_DIM = 30;
export const LEARNING_RATE = 1e-3;
/** lambda_l1 and weight_decay of each depth, as in the study. */
export const PENALTY = { 3: 1e-5, 5: 1e-7 } as const;

/** The product of the widest layer of the deep net with a batch: `[MATMUL_ROWS, MATMUL_INNER] x [MATMUL_INNER, batch]`. */
export const MATMUL_ROWS = 640;
export const MATMUL_INNER = 784;
