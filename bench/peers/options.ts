/** Parses the options of `npm run bench:peers`, selects the cells, and estimates the duration. */
import { parseArgs } from 'node:util';
import { sum } from 'd3-array';
import { didYouMean } from '../../lib/text/did-you-mean.ts';
import { BadInputError } from '../../proto/errors.ts';
import { type AbsentPeer, isImpossible, type Peer, type TrialWork } from './peer.ts';

export type Work = TrialWork | 'kill';
const WORKS: readonly Work[] = ['noop', 'sleep', 'train', 'kill'];
const MAX_SLOTS = 256;
const MAX_TRIALS = 1_000_000;
/** A kill is measured with `KILL_TRIALS` trials of 0.1 s on `KILL_SLOTS` slots. */
export const KILL_TRIALS = 24;
export const KILL_SLOTS = 2;
/** The time limit of a run with a kill. It is longer than other limits, because peers take time to notice the kill. */
export const KILL_LIMIT_S = 60;
const RECOVERY_S = 6;
const STOP_S = 1.5;

export interface Options {
  readonly peers: readonly (Peer | AbsentPeer)[];
  readonly works: readonly Work[];
  /** The numbers of slots to measure. If undefined, `SLOTS` is used, or `QUICK_SLOTS` with `quick`. */
  readonly slots: readonly number[] | undefined;
  readonly rounds: number;
  /** The number of trials of a cell. If undefined, `trialsOf` returns it. */
  readonly trials: number | undefined;
  /** The time limit of a cell in seconds (see `limitOf`). The start of the peer does not count. */
  readonly limitS: number;
  readonly quick: boolean;
  /** The file for the results as JSON. */
  readonly json: string | undefined;
}

export interface Cell {
  readonly peer: Peer;
  readonly work: TrialWork;
  readonly slots: number;
  readonly trials: number;
}

const SLOTS: Record<TrialWork, readonly number[]> = { noop: [2, 8, 32], sleep: [2, 8, 32], train: [2, 8] };
const QUICK_SLOTS: Record<TrialWork, readonly number[]> = { noop: [8], sleep: [8], train: [2] };

/** @throws {BadInputError} for an unknown option, name or number */
export function parseOptions(args: readonly string[], known: readonly (Peer | AbsentPeer)[]): Options {
  const values = parse(args);
  const quick = values.quick === true;
  const names = values.only === undefined ? known.map(({ name }) => name) : listOf('--only', values.only);
  return {
    peers: names.map((name) => chosen('--only', name, known, (each) => each.name)),
    works:
      values.work === undefined
        ? WORKS.filter((work) => !quick || work !== 'train')
        : listOf('--work', values.work).map((name) => chosen('--work', name, WORKS, (work) => work)),
    slots:
      values.slots === undefined
        ? undefined
        : listOf('--slots', values.slots).map((text) => numberIn('--slots', text, MAX_SLOTS)),
    rounds: values.rounds === undefined ? (quick ? 1 : 2) : numberIn('--rounds', values.rounds, 100),
    trials: values.trials === undefined ? undefined : numberIn('--trials', values.trials, MAX_TRIALS),
    limitS: values.limit === undefined ? (quick ? 4 : 6) : numberIn('--limit', values.limit, 3_600),
    quick,
    json: values.json,
  };
}

function parse(args: readonly string[]) {
  const options = {
    only: { type: 'string' },
    work: { type: 'string' },
    slots: { type: 'string' },
    rounds: { type: 'string' },
    trials: { type: 'string' },
    limit: { type: 'string' },
    json: { type: 'string' },
    quick: { type: 'boolean' },
  } as const;
  try {
    return parseArgs({ args: [...args], options }).values;
  } catch (error) {
    const message = error instanceof Error ? error.message : `${error}`;
    const written = /'--([\w-]+)/.exec(message)?.[1] ?? '';
    const hint = Object.keys(options).includes(written) ? '' : didYouMean(written, Object.keys(options));
    throw new BadInputError(`${message}${hint}`);
  }
}

function listOf(option: string, text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.includes(''))
    throw new BadInputError(`${option}: expected names or numbers separated by commas: "${text}"`);
  return [...new Set(names)];
}

function chosen<T>(option: string, name: string, known: readonly T[], nameOf: (each: T) => string): T {
  const found = known.find((each) => nameOf(each) === name);
  if (found !== undefined) return found;
  const names = known.map(nameOf);
  throw new BadInputError(`${option}: expected one of ${names.join(', ')}: "${name}"${didYouMean(name, names)}`);
}

function numberIn(option: string, text: string, largest: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= largest) return value;
  throw new BadInputError(`${option}: expected a whole number from 1 to ${largest.toLocaleString('en')}: "${text}"`);
}

/** Returns the cells of one round: for each work and number of slots, one cell per peer. */
export function cellsOf({ peers, works, slots, trials, quick }: Options): Cell[] {
  const cells: Cell[] = [];
  for (const work of works) {
    if (work === 'kill') continue;
    for (const count of slots ?? (quick ? QUICK_SLOTS : SLOTS)[work]) {
      for (const peer of peers) {
        if ('absent' in peer) continue;
        cells.push({ peer, work, slots: count, trials: trials ?? trialsOf(work, count) });
      }
    }
  }
  return cells;
}

/** Returns the default number of trials, enough for about four seconds under a fast peer. */
function trialsOf(work: TrialWork, slots: number): number {
  if (work === 'noop') return 3_000;
  return work === 'sleep' ? 40 * slots : Math.max(16, slots);
}

/**
 * Whether a round measures a cell. Training takes long, so only the first round measures training, unless no other work
 * is measured.
 */
export function isMeasuredIn(round: number, { work }: Cell, { works }: Options): boolean {
  return round === 0 || work !== 'train' || works.length === 1;
}

/** Returns the kills to measure for the selected peers. A quick run kills only controllers. */
export function killsOf({
  peers,
  works,
  quick,
}: Options): { readonly peer: Peer; readonly killed: 'worker' | 'controller' }[] {
  if (!works.includes('kill')) return [];
  return peers.flatMap((peer) => {
    if ('absent' in peer) return [];
    return (quick ? (['controller'] as const) : (['worker', 'controller'] as const)).flatMap((killed) =>
      isImpossible(peer[killed]) ? [] : [{ peer, killed }],
    );
  });
}

/**
 * Returns the estimated duration of all rounds and kills in seconds, on two idle cores. The installation does not
 * count.
 */
export function estimateS(options: Options): number {
  const { rounds, limitS } = options;
  const ofCell = ({ peer, work, slots, trials }: Cell) => {
    const { start, noop, train } = peer.cost;
    const perTrial = work === 'train' ? train : Math.max(noop, work === 'sleep' ? 0.1 / slots : 0);
    return start + Math.min(limitOf(work, limitS), trials * perTrial) + STOP_S;
  };
  const cells = cellsOf(options);
  const inRounds = Array.from({ length: rounds }, (_, round) =>
    sum(
      cells.filter((cell) => isMeasuredIn(round, cell, options)),
      ofCell,
    ),
  );
  const ofKill = ({ start, noop }: Peer['cost']) =>
    start + KILL_TRIALS * Math.max(noop, 0.1 / KILL_SLOTS) + RECOVERY_S + STOP_S;
  return sum(inRounds) + sum(killsOf(options), ({ peer }) => ofKill(peer.cost));
}

/**
 * Returns the time limit of a cell in seconds. It is longer for `train`, because most peers load PyTorch for each
 * trial.
 */
export function limitOf(work: TrialWork, limitS: number): number {
  return work === 'train' ? 3 * limitS : limitS;
}
