/** Aggregates the results of cells over rounds, and formats them as tables. */
import { max, median, min } from 'd3-array';
import type { TrialWork } from './peer.ts';

/** The result of one run of a cell. */
export interface Run {
  readonly peer: string;
  readonly work: TrialWork;
  readonly slots: number;
  readonly round: number;
  /** The number of points to run. */
  readonly trials: number;
  /** The time from the start of the program until it is ready for trials, in seconds. */
  readonly startS: number;
  /** The time from the submission until all trials have ended, or until the time limit, in seconds. */
  readonly wallS: number;
  /** CPU time of all processes during `wallS`, in seconds. */
  readonly cpuS: number;
  /** The largest sum of the proportional set sizes of all processes, in bytes. */
  readonly peakBytes: number;
  /** The number of trials that had finished, including duplicates. */
  readonly finished: number;
  /** The number of different points that had finished. Undefined if the time limit ended the run. */
  readonly distinct: number | undefined;
  /** Whether the time limit ended the run. */
  readonly isLimited: boolean;
  readonly note: string | undefined;
}

/** The result of a run in which processes were killed. */
export interface KillRun {
  readonly peer: string;
  readonly killed: 'worker' | 'controller';
  readonly trials: number;
  /** The number of finished trials at the time of the kill. */
  readonly finishedAtKill: number;
  /** The number of points without a result at the end. Undefined if the time limit ended the run. */
  readonly lost: number | undefined;
  /** The number of surplus results: each point should have one result. Undefined if the time limit ended the run. */
  readonly duplicates: number | undefined;
  /** The number of points whose work was completed at least once. */
  readonly completed: number;
  /** The number of times that the work of a point was completed again after its first completion. */
  readonly repeated: number;
  /** The time from the kill until the program has reported its points, in seconds. */
  readonly recoveryS: number;
  readonly how: string;
}

/** A run that failed or that is impossible. */
export interface Failure {
  readonly peer: string;
  readonly work: TrialWork | 'kill';
  readonly slots: number | undefined;
  readonly reason: string;
}

/** A row of a table: the medians of all rounds. */
export interface Summary {
  readonly peer: string;
  readonly slots: number;
  readonly rounds: number;
  readonly trialsPerS: number;
  readonly slowest: number;
  readonly fastest: number;
  readonly cpuMs: number;
  readonly peakMiB: number;
  /** The overhead of a trial (see overheadOf). Undefined if the duration of the work is unknown. */
  readonly overheadMs: number | undefined;
  readonly startS: number;
  readonly points: string;
  readonly notes: readonly string[];
}

/**
 * Returns the number of distinct points per second. If the time limit ended the run, duplicates are unknown, so all
 * finished trials are counted.
 */
export function rateOf({ distinct, finished, wallS }: Run): number {
  return (distinct ?? finished) / wallS;
}

/**
 * Returns the overhead of a trial in seconds: the wall time per trial times the slots, minus the duration of the work.
 * For `train`, the slots count only up to the number of cores, because each training uses one core.
 * @param workS the duration of the work of a trial in seconds
 */
export function overheadOf(run: Run, workS: number, cores: number): number {
  const slots = run.work === 'train' ? Math.min(run.slots, cores) : run.slots;
  return slots / rateOf(run) - workS;
}

/** Aggregates runs that have the same peer, the same work and the same number of slots. */
export function summaryOf(runs: readonly Run[], workS: number | undefined, cores: number): Summary {
  const of = (figure: (run: Run) => number) => median(runs, figure) ?? Number.NaN;
  const [first] = runs;
  if (first === undefined) throw new Error('there are no runs to aggregate');
  return {
    peer: first.peer,
    slots: first.slots,
    rounds: runs.length,
    trialsPerS: of(rateOf),
    slowest: min(runs, rateOf) ?? Number.NaN,
    fastest: max(runs, rateOf) ?? Number.NaN,
    cpuMs: of(({ cpuS, finished }) => (1000 * cpuS) / finished),
    peakMiB: of(({ peakBytes }) => peakBytes / 2 ** 20),
    overheadMs: workS === undefined ? undefined : of((run) => 1000 * overheadOf(run, workS, cores)),
    startS: of(({ startS }) => startS),
    points: [...new Set(runs.map(pointsText))].join('; '),
    notes: [...new Set(runs.flatMap(({ note }) => note ?? []))],
  };
}

function pointsText({ trials, finished, distinct, isLimited }: Run): string {
  if (distinct === undefined) return `${finished} of ${trials}${isLimited ? ' at the time limit' : ''}`;
  const duplicates = finished - distinct;
  return `${distinct} of ${trials}${duplicates === 0 ? '' : `, ${duplicates} duplicate${duplicates === 1 ? '' : 's'}`}`;
}

/**
 * Returns the number rounded to three significant digits, or to a whole number if it is 100 or more. Returns `-` if it
 * is undefined or not finite.
 */
export function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '-';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return Number(value.toPrecision(3)).toString();
}

/** Returns a Markdown table. */
function markdown(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

/**
 * Returns the table of one kind of work, ordered by the number of slots and then by speed. Rows for the peers that
 * could not run follow, with the reason.
 */
export function workTable(summaries: readonly Summary[], failures: readonly Failure[]): string {
  const ordered = [...summaries].sort((a, b) => a.slots - b.slots || b.trialsPerS - a.trialsPerS);
  const header = ['slots', 'peer', 'trials/s (range)', 'CPU per trial, ms', 'peak, MiB', 'overhead per trial, ms'];
  const rows = ordered.map((each) => [
    `${each.slots}`,
    each.peer,
    `${figure(each.trialsPerS)}${each.rounds === 1 ? '' : ` (${figure(each.slowest)} to ${figure(each.fastest)})`}`,
    figure(each.cpuMs),
    figure(each.peakMiB),
    figure(each.overheadMs),
    figure(each.startS),
    [each.points, ...each.notes].join('; '),
  ]);
  const missing = failures.map(({ slots, peer, reason }) => [
    `${slots ?? 'all'}`,
    peer,
    ...header.slice(2).map(() => '-'),
    '-',
    reason,
  ]);
  return markdown([...header, 'start, s', 'points finished'], [...rows, ...missing]);
}

/** Returns the table of the runs in which processes were killed. */
export function killTable(runs: readonly KillRun[], failures: readonly Failure[]): string {
  const header = [
    'peer',
    'killed',
    'points lost',
    'duplicate results',
    'completed again',
    'kill to end, s',
    'continues',
  ];
  const rows = runs.map((run) => [
    run.peer,
    `${run.killed}, after ${run.finishedAtKill} of ${run.trials}`,
    run.lost === undefined ? `unknown; ${run.completed} points completed at the time limit` : `${run.lost}`,
    run.duplicates === undefined ? '-' : `${run.duplicates}`,
    `${run.repeated}`,
    figure(run.recoveryS),
    run.how,
  ]);
  const missing = failures.map(({ peer, reason }) => [peer, '-', '-', '-', '-', '-', reason]);
  return markdown(header, [...rows, ...missing]);
}
