/**
 * Runs two programs, one after the other, as a worker does. The arguments are the command of the second program. Prints
 * the output of the second program, and waits to be killed.
 */
import { Program } from './program.ts';

const start = (command: readonly string[]) =>
  new Program({ command, workdir: process.cwd(), marker: '', environment: process.env, graceS: 1 });

await start(['/bin/sh', '-c', 'exit 0']).exited;
const program = start(process.argv.slice(2));
program.stdout.on('data', (text) => process.stdout.write(String(text)));
setInterval(() => {}, 1_000);
