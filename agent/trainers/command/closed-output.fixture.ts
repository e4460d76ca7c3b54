/** Waits for a program that closes its output long before it ends, and prints the exit code. Nothing else is running. */
import { Program } from './program.ts';

const command = ['/bin/sh', '-c', 'exec >&- 2>&-; sleep 3; exit 4'];
const program = new Program({ command, workdir: '/', marker: '', environment: { PATH: process.env.PATH }, graceS: 1 });
program.stdout.resume();
program.stderr.resume();
const { code } = await program.exited;
process.stdout.write(`${code}\n`);
