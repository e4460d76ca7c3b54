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
  /** Of all threads, as little as in any round. */
  readonly cpuMs: number;
}

/** Of each row the best of the rounds: on a busy machine the one that was disturbed least. */
export async function measureInTurns(rows: readonly Row[], rounds: number): Promise<readonly Rate[]> {
  const answers = new Map<Row, Answer[]>(rows.map((row) => [row, []]));
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) answers.get(row)?.push(await row.peer.ask(row.request));
  }
  return rows.map((row) => {
    const least = (time: (answer: Answer) => number) =>
      Math.min(...(answers.get(row) ?? []).map((answer) => (time(answer) * 1000) / answer.count));
    const stepMs = least(({ seconds }) => seconds);
    const { batch, pack } = row.request;
    return {
      row,
      stepMs,
      cpuMs: least(({ cpuSeconds }) => cpuSeconds),
      samplesPerSecond: (1000 / stepMs) * batch * pack,
    };
  });
}
