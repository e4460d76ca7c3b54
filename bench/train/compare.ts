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
}

/** Of each row the best of the rounds: on a busy machine the one that was disturbed least. */
export async function measureInTurns(rows: readonly Row[], rounds: number): Promise<readonly Rate[]> {
  const best = new Map<Row, number>();
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) {
      const stepMs = stepMsOf(await row.peer.ask(row.request));
      best.set(row, Math.min(stepMs, best.get(row) ?? Number.POSITIVE_INFINITY));
    }
  }
  return rows.map((row) => {
    const stepMs = best.get(row) ?? Number.NaN;
    const { batch, pack } = row.request;
    return { row, stepMs, samplesPerSecond: (1000 / stepMs) * batch * pack };
  });
}

const stepMsOf = ({ count, seconds }: Answer): number => (seconds * 1000) / count;
