/** Compares implementations in one run. */
import { type Answer, type MeasuringProcess, pytorchPeer, type Request, tfjsPeer } from './peer.ts';

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
  /** Number of steps in the round from which the mean is taken. */
  readonly steps: number;
  /** Duration of the fastest step of all rounds. The last step of an epoch, whose batch is smaller, also counts. */
  readonly leastMs: number;
}

/**
 * Measures the rows alternately, so that other load on the machine affects all rows alike. Returns the best round of
 * each row, which other load affected least.
 */
export async function measureInTurns(rows: readonly Row[], rounds: number): Promise<readonly Rate[]> {
  const answers = new Map<Row, Answer[]>(rows.map((row) => [row, []]));
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) answers.get(row)?.push(await row.peer.request(row.request));
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

const SAMPLES = 60_000;
const BATCH = 64;

export interface EpochTimes {
  readonly depth: 3 | 5;
  readonly threads: number;
  /** The times of libtensorflow and PyTorch, in this order. */
  readonly trainers: readonly { readonly name: string; readonly epochS: number; readonly steps: number }[];
}

/**
 * Measures the time of an epoch of 60,000 images in batches of 64, without evaluation, with libtensorflow and PyTorch.
 * The time is the mean step of the best round, multiplied by the steps of an epoch. `steps` is the number of steps of
 * the best round. Yields nothing if libtensorflow or PyTorch is not installed.
 */
export async function* epochTimes(
  threadCounts: readonly number[],
  seconds: number,
  rounds: number,
): AsyncGenerator<EpochTimes> {
  for (const threads of threadCounts) {
    const peers: (readonly [string, MeasuringProcess | undefined])[] = [
      ['tensorflow', await tfjsPeer('tensorflow', threads)],
      ['PyTorch', await pytorchPeer(threads, 'cpu')],
    ];
    try {
      for (const depth of [3, 5] as const) {
        const rows = peers.flatMap(([name, peer]) =>
          peer === undefined
            ? []
            : [{ name, peer, request: { subject: 'trawl', depth, batch: BATCH, pack: 1, seconds } as const }],
        );
        if (rows.length < peers.length) return;
        yield { depth, threads, trainers: (await measureInTurns(rows, rounds)).map(timesOf) };
      }
    } finally {
      for (const [, peer] of peers) peer?.stop();
    }
  }
}

function timesOf({ row, samplesPerSecond, steps }: Rate) {
  return { name: row.name, epochS: SAMPLES / samplesPerSecond, steps };
}
