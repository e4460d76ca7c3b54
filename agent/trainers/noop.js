/** Trains nothing: for benchmarks and tests of everything around a trainer. */
import { createHash } from 'node:crypto';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { TrainingError } from './trainer.js';
/** Epochs without a sleep between two looks at the event loop, so that a stop is heard. */
const EPOCHS_PER_YIELD = 256;
/** Sleeps `duration_ms` an epoch and reports {@link noopLoss}. */
export async function noop(run) {
    const { epochs, duration_ms: durationMs } = run.parameters;
    if (typeof epochs !== 'number' || typeof durationMs !== 'number')
        throw new TrainingError('rejected', 'noop: epochs and duration_ms must be numbers');
    const base = noopLoss(run.parameters);
    for (let epoch = 1; epoch <= epochs; epoch++) {
        run.signal.throwIfAborted();
        if (durationMs > 0)
            await sleep(durationMs, run.signal);
        else if (epoch % EPOCHS_PER_YIELD === 0)
            await setImmediate();
        run.report(epoch, { test_loss: base * (0.5 + 0.5 / epoch) });
    }
}
/**
 * The test_loss at epoch 1, in [0.1, 1.1): a hash of the parameters that make one trial differ from another. How long
 * the trial runs (epochs, duration_ms) has no say in it.
 */
export function noopLoss(parameters) {
    const named = Object.entries(parameters)
        .filter(([name]) => name !== 'epochs' && name !== 'duration_ms')
        .sort(([a], [b]) => (a < b ? -1 : 1));
    const digest = createHash('sha256').update(JSON.stringify(named)).digest();
    return 0.1 + digest.readUInt32BE(0) / 2 ** 32;
}
async function sleep(durationMs, signal) {
    try {
        await setTimeout(durationMs, undefined, { signal });
    }
    catch (error) {
        // The timer throws an AbortError of its own; the contract asks for the signal's reason.
        signal.throwIfAborted();
        throw error;
    }
}
//# sourceMappingURL=noop.js.map