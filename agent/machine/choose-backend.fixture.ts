/** Chooses a backend in a separate process, and prints the name of the backend. */
import { chooseBackend } from './backend.ts';

const { name } = await chooseBackend({ gpus: 0, requireGpu: false });
console.log(name);
