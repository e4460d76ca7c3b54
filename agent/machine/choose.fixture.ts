/** Chooses a backend in a process of its own and prints nothing but its name. */
import { chooseBackend } from './backend.ts';

const { name } = await chooseBackend({ gpus: 0, requireGpu: false });
console.log(name);
