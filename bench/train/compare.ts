/** Measures several implementations in turn, so that their speeds can be compared. */
import type { Answer, MeasuringProcess, Request } from './peer.ts';

export interface Row {
  /** Name of the implementation in the table. */
  readonly name: string;
  readonly peer: MeasuringProcess;
  readonly request: Request;
}

export interface Rate {
  readonly row: Row;
  /** Images per second, summed over all pack members. */
  readonly samplesPerSecond: number;
  readonly stepMs: number;
  /** Duration of the fastest step in any round. The last step of an epoch, with a smaller batch, also counts. */
  readonly leastMs: number;
}

/** Measures the rows alternately. Returns the answers of each row, one per round. */
export async function answersInTurns(rows: readonly Row[], rounds: number): Promise<readonly (readonly Answer[])[]> {
  const answers: Answer[][] = rows.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [at, { peer, request }] of rows.entries()) answers[at]?.push(await peer.request(request));
  }
  return answers;
}

/**
 * Measures the rows alternately, so that other load on the machine affects all rows alike. Returns the fastest round of
 * each row, because other load affected this round least.
 */
export async function measureInTurns(rows: readonly Row[], rounds: number): Promise<readonly Rate[]> {
  const answers = await answersInTurns(rows, rounds);
  return rows.map((row, at) => {
    const own = answers[at] ?? [];
    const best = own.reduce((least, each) => (each.seconds / each.count < least.seconds / least.count ? each : least));
    const stepMs = (1000 * best.seconds) / best.count;
    const { batch, pack } = row.request;
    return {
      row,
      stepMs,
      leastMs: 1000 * Math.min(...own.map(({ least }) => least)),
      samplesPerSecond: (1000 / stepMs) * batch * pack,
    };
  });
}
