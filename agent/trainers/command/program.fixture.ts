/** Starts two programs as a worker does; the second one is given as arguments. Passes the output on, and waits to be killed. */
import { Program } from './program.ts';

const start = (command: readonly string[]) =>
  new Program({ command, workdir: process.cwd(), marker: '', environment: process.env, graceS: 1 });

await start(['/bin/sh', '-c', 'exit 0']).exited;
const program = start(process.argv.slice(2));
program.stdout.on('data', (text) => process.stdout.write(String(text)));
setInterval(() => {}, 1_000);
