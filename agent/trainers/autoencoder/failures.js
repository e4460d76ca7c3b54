/** How a training goes wrong by itself. */
import { TrainingError } from '../trainer.js';
/** What Node, the wasm heap and TensorFlow say when memory runs out. */
const OUT_OF_MEMORY = /\bOOM\b|out of memory|RESOURCE_EXHAUSTED|allocation failed|cannot enlarge memory/i;
export function isOutOfMemory(error) {
    return error instanceof Error && OUT_OF_MEMORY.test(error.message);
}
/**
 * @param where leads the message: `epoch 3`.
 * @throws {TrainingError} `nan` when one of the values is NaN or infinite, naming each that is.
 */
export function refuseNonFinite(where, values) {
    const wrong = Object.entries(values).filter(([, value]) => !Number.isFinite(value));
    if (wrong.length === 0)
        return;
    const named = wrong.map(([name, value]) => `${name} is ${value}`).join(', ');
    throw new TrainingError('nan', `${where}: ${named}`);
}
//# sourceMappingURL=failures.js.map