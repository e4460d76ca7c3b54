/** Chooses a backend in a separate process and prints its name. */
import { chooseBackend } from './backend.ts';

const { name } = await chooseBackend({ gpus: 0, requireGpu: false });
console.log(name);
