/** Compares the trainers of trawl with PyTorch on a CPU, by the time of a step of 64 images. Measures them in turn. */
import { median } from 'd3-array';
import { answersInTurns, type Row } from './compare.ts';
import { type Answer, pytorchPeer, type Request, tfjsPeer } from './peer.ts';

const SAMPLES = 60_000;
const BATCH = 64;

/** The ways in which PyTorch trains. The first is the baseline of all ratios. */
const PYTORCH: readonly (Pick<Request, 'mode' | 'fusedAdam'> & { readonly name: string })[] = [
  { name: 'PyTorch eager', mode: 'eager', fusedAdam: false },
  { name: 'PyTorch eager, fused Adam', mode: 'eager', fusedAdam: true },
  { name: 'torch.compile', mode: 'compile', fusedAdam: false },
  { name: 'torch.compile, fused Adam', mode: 'compile', fusedAdam: true },
];

/** All values are medians over the turns. A ratio is a time divided by the time of PyTorch eager in the same turn. */
export interface TrainerTimes {
  readonly name: string;
  readonly stepMs: number;
  readonly stepRatio: number;
  /** The CPU time of a step, of all threads together, in ms. */
  readonly cpuMs: number;
  readonly cpuRatio: number;
  /**
   * The time of an epoch of 60,000 images without evaluation, in seconds: the time of a step times the number of steps.
   */
  readonly epochS: number;
  /** The duration of the first step, in seconds. It includes compilation; the other values do not. */
  readonly firstStepS: number;
}

/**
 * Measures the trainers with the given number of threads. WebAssembly always uses one thread.
 * @param python the interpreter that has PyTorch
 * @returns one element per trainer that is installed; an empty list if PyTorch is not installed
 */
export async function compareTrainers(
  python: string,
  depth: 3 | 5,
  threads: number,
  seconds: number,
  turns: number,
): Promise<readonly TrainerTimes[]> {
  const torch = await pytorchPeer(threads, 'cpu', python);
  if (torch === undefined) return [];
  const own = await Promise.all(
    (['tensorflow', 'wasm'] as const).map(async (backend) => ({ backend, peer: await tfjsPeer(backend, threads) })),
  );
  try {
    const request: Request = { subject: 'trawl', depth, batch: BATCH, pack: 1, seconds };
    const rows: Row[] = PYTORCH.map(({ name, mode, fusedAdam }) => {
      return { name, peer: torch, request: { ...request, mode, fusedAdam } };
    });
    for (const { backend, peer } of own)
      if (peer !== undefined) rows.push({ name: `trawl, ${backend}`, peer, request });
    // The first requests compile and warm up.
    await answersInTurns(
      rows.map((row) => ({ ...row, request: { ...row.request, seconds: 0.1 } })),
      1,
    );
    const answers = await answersInTurns(rows, turns);
    const [baseline = []] = answers;
    return rows.map(({ name }, at) => timesOf(name, answers[at] ?? [], baseline));
  } finally {
    torch.stop();
    for (const { peer } of own) peer?.stop();
  }
}

function timesOf(name: string, answers: readonly Answer[], baseline: readonly Answer[]): TrainerTimes {
  const middle = (measure: (answer: Answer) => number) => median(answers, measure) ?? Number.NaN;
  const ratio = (measure: (answer: Answer) => number) => {
    const other = baseline.map(measure);
    return median(answers, (answer, turn) => measure(answer) / (other[turn] ?? Number.NaN)) ?? Number.NaN;
  };
  const wall = ({ seconds, count }: Answer) => (1000 * seconds) / count;
  const cpu = ({ cpuSeconds, count }: Answer) => (1000 * cpuSeconds) / count;
  return {
    name,
    stepMs: middle(wall),
    stepRatio: ratio(wall),
    cpuMs: middle(cpu),
    cpuRatio: ratio(cpu),
    epochS: (middle(wall) * SAMPLES) / BATCH / 1000,
    firstStepS: middle(({ firstStepSeconds }) => firstStepSeconds),
  };
}
