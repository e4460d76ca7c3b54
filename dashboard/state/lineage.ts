/** The lineage of a population (`method: pbt`) as rows of text, for the view of the rungs. */
import { max, ticks } from 'd3-array';
import { ancestryOf, type Member, membersOf } from '../../lib/domain/lineage.ts';
import { fromWire } from '../../lib/domain/parameters.ts';
import { bestReplicate, trialValue } from '../../lib/domain/trial-result.ts';
import { formatStep } from '../../lib/text/numbers.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { GoalName } from '../../proto/names.ts';

/** The minimum number of columns between the labels of two epochs. */
const LABEL_COLUMNS = 5;

export interface LineageRow {
  /** The index of the member in the population. */
  readonly member: number;
  /** The newest trial of the member. */
  readonly trial: Trial;
  /**
   * The timeline of the member over the epochs, such as `━━━━━━←3────`. At `←3`, a child of member 3 replaces the
   * trial of this member. The part drawn with `━` is the ancestry of the best trial.
   */
  readonly track: string;
}

interface LineageText {
  /** The labels of the epochs, above the tracks. */
  readonly header: string;
  readonly rows: readonly LineageRow[];
  /** The number of members, which can be higher than the number of rows. */
  readonly members: number;
}

/**
 * Returns the lineage of a population.
 * @param width the width of a track in columns
 * @param most the maximum number of rows; the rows are the members whose newest trials have the best values
 */
export function lineageText(
  trials: readonly Trial[],
  { metric, goal, width, most }: { metric: string; goal: GoalName; width: number; most: number },
): LineageText {
  const members = membersOf(trials);
  const last = Math.max(1, max(trials, epochsOf) ?? 1);
  const column = (epoch: number) => Math.round((epoch / last) * (width - 1));
  const [first, ...others] = trials;
  const until = ancestryOf(trials, first && bestReplicate([first, ...others], metric, goal));
  const rows = members.flatMap((lives, member): LineageRow[] => {
    const trial = lives.at(-1)?.trial;
    return trial === undefined ? [] : [{ member, trial, track: trackOf(lives, column, width, until) }];
  });
  const sign = goal === 'minimize' ? 1 : -1;
  const cost = ({ trial }: LineageRow) => sign * (trialValue(trial, metric) ?? sign * Number.MAX_VALUE);
  const best = rows.toSorted((a, b) => cost(a) - cost(b)).slice(0, most);
  return {
    header: headerOf(last, column, width),
    rows: best.sort((a, b) => a.member - b.member),
    members: members.length,
  };
}

/** Returns the last epoch of a trial if it is known, or else the epoch that the trial has reached. */
function epochsOf(trial: Trial): number {
  const { epochs } = fromWire(trial.parameters);
  return Math.max(trial.epoch, typeof epochs === 'number' ? epochs : 0);
}

function trackOf(
  lives: Member<Trial>,
  column: (epoch: number) => number,
  width: number,
  until: ReadonlyMap<string, number>,
): string {
  const cells = Array<string>(width).fill(' ');
  for (const { trial, from, to, parent } of lives) {
    const leads = until.get(trial.id) ?? -1;
    for (let at = column(from); at <= column(to) && from < to; at++) cells[at] = at <= column(leads) ? '━' : '─';
    const label = trial.origin === undefined ? '' : `←${parent ?? '?'}`;
    for (const [at, character] of [...label].entries()) {
      if (column(from) + at < width) cells[column(from) + at] = character;
    }
  }
  return cells.join('').trimEnd();
}

function headerOf(last: number, column: (epoch: number) => number, width: number): string {
  const labels = ticks(0, last, Math.max(1, Math.floor(width / LABEL_COLUMNS))).filter(Number.isInteger);
  let header = '';
  for (const epoch of labels) {
    const label = formatStep(epoch);
    const at = Math.min(column(epoch), width - label.length);
    if (header === '' || header.length < at) header = header.padEnd(at) + label;
  }
  return header;
}
