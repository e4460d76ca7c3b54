/** The trainer `noop` trains nothing. Benchmarks and tests use this trainer. */
import { createHash } from 'node:crypto';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { Parameters } from '../../proto/trainers.ts';
import { TrainingError, type TrainingRun } from './trainer.ts';

/** The number of epochs after which the trainer yields to the event loop, so that a stop can take effect. */
const EPOCHS_PER_YIELD = 256;

/** Sleeps `duration_ms` per epoch, and reports a loss derived from {@link noopLoss}. */
export async function noop(run: TrainingRun): Promise<void> {
  const { epochs, duration_ms: durationMs } = run.parameters;
  if (typeof epochs !== 'number' || typeof durationMs !== 'number')
    throw new TrainingError('rejected', 'noop: epochs and duration_ms must be numbers');

  const base = noopLoss(run.parameters);
  for (let epoch = 1; epoch <= epochs; epoch++) {
    run.signal.throwIfAborted();
    if (durationMs > 0) await sleep(durationMs, run.signal);
    else if (epoch % EPOCHS_PER_YIELD === 0) await setImmediate();
    run.report(epoch, { test_loss: base * (0.5 + 0.5 / epoch) });
  }
}

/**
 * Returns the test_loss at epoch 1, a number in [0.1, 1.1). The number is derived from a hash of all parameters except
 * `epochs` and `duration_ms`, which only determine the duration of the trial.
 */
export function noopLoss(parameters: Parameters): number {
  const named = Object.entries(parameters)
    .filter(([name]) => name !== 'epochs' && name !== 'duration_ms')
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const digest = createHash('sha256').update(JSON.stringify(named)).digest();
  return 0.1 + digest.readUInt32BE(0) / 2 ** 32;
}

async function sleep(durationMs: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(durationMs, undefined, { signal });
  } catch (error) {
    // The timer throws an AbortError, but a trainer must throw the signal's reason.
    signal.throwIfAborted();
    throw error;
  }
}
