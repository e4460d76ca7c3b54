/** How long an epoch takes, beside PyTorch's, with one thread and with several. */
import { measureInTurns, type Rate } from './compare.ts';
import { type Peer, pytorchPeer, tfjsPeer } from './peer.ts';

const SAMPLES = 60_000;
const BATCH = 64;

export interface EpochTimes {
  readonly depth: 3 | 5;
  readonly threads: number;
  /** Of libtensorflow first, then of PyTorch. */
  readonly trainers: readonly { readonly name: string; readonly epochS: number; readonly steps: number }[];
}

/**
 * Training alone, without evaluation, of 60,000 images in batches of 64: the mean step of the best round, times the
 * steps of an epoch. `steps` is how many that round took.
 * @returns nothing where libtensorflow or PyTorch is not here
 */
export async function* epochTimes(
  threadCounts: readonly number[],
  seconds: number,
  rounds: number,
): AsyncGenerator<EpochTimes> {
  for (const threads of threadCounts) {
    const peers: (readonly [string, Peer | undefined])[] = [
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
