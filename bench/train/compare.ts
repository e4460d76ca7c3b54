/** Measures rows of a table in turns, so that what else the machine does falls on all of them alike. */
import type { Answer, Request } from './measurement.ts';
import type { Peer } from './peer.ts';

export interface Row {
  /** What the table calls who trains. */
  readonly name: string;
  readonly peer: Peer;
  readonly request: Request;
}

export interface Rate {
  readonly row: Row;
  /** Images of all members. */
  readonly samplesPerSecond: number;
  readonly stepMs: number;
  /** Taken in the round that the mean is of. */
  readonly steps: number;
  /** The fastest single step of all rounds; of an epoch's last batch too, which is short. */
  readonly leastMs: number;
}

/** Of each row the best of the rounds: on a busy machine the one that was disturbed least. */
export async function measureInTurns(rows: readonly Row[], rounds: number): Promise<readonly Rate[]> {
  const answers = new Map<Row, Answer[]>(rows.map((row) => [row, []]));
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) answers.get(row)?.push(await row.peer.ask(row.request));
  }
  return rows.map((row) => {
    const own = answers.get(row) ?? [];
    const best = own.reduce((least, each) => (each.seconds / each.count < least.seconds / least.count ? each : least));
    const stepMs = (1000 * best.seconds) / best.count;
    const { batch, pack } = row.request;
    return {
      row,
      stepMs,
      steps: best.count,
      leastMs: 1000 * Math.min(...own.map(({ least }) => least)),
      samplesPerSecond: (1000 / stepMs) * batch * pack,
    };
  });
}
