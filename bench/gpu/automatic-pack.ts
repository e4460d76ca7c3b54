/** Prints the pack size that a worker on the first GPU chooses. Runs in a separate process, whose memory is freed. */
import { chooseBackend } from '../../agent/machine/backend.ts';
import { packSize } from '../../agent/machine/slots.ts';

const { name } = await chooseBackend({ forced: 'tensorflow-gpu', gpus: 1, requireGpu: true });
console.log(await packSize('auto', name, 1, console.error));
