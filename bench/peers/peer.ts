/**
 * A peer: a system that runs trials, such as Ray Tune. Each peer has a program that runs the work of a cell and reports
 * its progress. `process_tree.py` starts the program, and cell.ts measures it.
 */

/** The work of a trial: nothing, a sleep of 0.1 s, or one epoch of the 3-layer autoencoder on 2,000 images. */
export type TrialWork = 'noop' | 'sleep' | 'train';

/** The settings of a program, as JSON in its first argument. */
export interface ProgramSettings {
  readonly work: TrialWork;
  /** The points are the whole numbers from 1 to this number. */
  readonly trials: number;
  readonly slots: number;
  /** An empty folder. With `resume`, the folder of the interrupted run. */
  readonly folder: string;
  /** The file to which each trial appends its point when it has done its work. Null: no file. */
  readonly log: string | null;
  /** MNIST's file of training images. */
  readonly images: string;
  /** The interpreter that has PyTorch, for peers that run each trial of `train` in a separate process. */
  readonly python: string;
  readonly resume: boolean;
  readonly variant: string;
  /** URL of a database in PostgreSQL, for peers with a `database`. */
  readonly database: string | null;
}

/** A message of a program: one line of JSON on stdout. */
export interface ProgramMessage {
  /** The program is ready, and waits for a line on stdin. */
  readonly ready?: true;
  /** The number of finished trials so far. */
  readonly finished?: number;
  /** All trials have ended. */
  readonly end?: true;
  /**
   * The points of the finished trials, according to the peer's own records. Duplicates are kept. This is the last
   * message.
   */
  readonly points?: readonly number[];
  /** A remark for the table. */
  readonly note?: string | null;
}

/** Which processes to kill with SIGKILL, and how the peer continues. */
export interface Kill {
  /** Matches the name and the command line of a process, such as `node /usr/bin/node coordinator`. */
  readonly processes: RegExp;
  /** Whether all matching processes are killed. Otherwise, only the first is killed. */
  readonly all: boolean;
  /** Whether the program is stopped after the kill, and started again with `resume`. */
  readonly resumes: boolean;
  /** How the peer continues, for the table. */
  readonly how: string;
}

/** A reason why something cannot be measured. */
export interface Impossible {
  readonly reason: string;
}

export interface Peer {
  readonly name: string;
  /** How the peer runs the trials. */
  readonly about: string;
  /** Requirements for pip, with pinned versions; empty if the peer needs no Python package. */
  readonly packages: readonly string[];
  /** Whether trials run without the peer's Python environment. If not, PyTorch is added to `packages` for `train`. */
  readonly startsPrograms: boolean;
  /** The program in this folder, or `trawl`. */
  readonly program:
    | 'hyperqueue_program.py'
    | 'hyperqueue_journal_program.py'
    | 'optuna_program.py'
    | 'ray_program.py'
    | 'syne_tune_program.py'
    | 'trawl';
  /** A program that must already be on this machine, because the packages of the peer do not contain it. */
  readonly tool?: { readonly command: string; readonly missing: string };
  readonly variant: string;
  /** Whether a database in PostgreSQL is created for each cell. */
  readonly database?: true;
  readonly worker: Kill | Impossible;
  readonly controller: Kill | Impossible;
  /**
   * Rough wall times in seconds on two idle cores, from which the duration is estimated: of the start, of a `noop`
   * trial, and of a `train` trial.
   */
  readonly cost: { readonly start: number; readonly noop: number; readonly train: number };
}

/** A peer that cannot run here, and why. */
export interface AbsentPeer {
  readonly name: string;
  readonly absent: string;
}

export const isImpossible = (given: Kill | Impossible): given is Impossible => 'reason' in given;
