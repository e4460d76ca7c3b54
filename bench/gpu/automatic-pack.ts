/**
 * Prints the pack size that a worker on the first GPU chooses. This is a separate program, because its exit frees the
 * memory of the GPU.
 */
import { chooseBackend } from '../../agent/machine/backend.ts';
import { packSize } from '../../agent/machine/slots.ts';

const { name } = await chooseBackend({ forced: 'tensorflow-gpu', gpus: 1, requireGpu: true });
console.log(await packSize('auto', name, 1, console.error));
