/**
 * Starts a program while no file descriptors are left, and prints the error. Then frees the file descriptors, starts
 * the program a second time, and prints the exit code.
 */
import { closeSync, openSync } from 'node:fs';
import { Program } from './program.ts';

const start = () =>
  new Program({ command: ['/bin/sh', '-c', 'exit 0'], workdir: '/', marker: '', environment: {}, graceS: 1 });

const files: number[] = [];
try {
  for (;;) files.push(openSync('/dev/null', 'r'));
} catch {
  // The limit has been reached.
}
const program = start();
const error = await program.exited.catch((each: Error) => each.message);
for (const file of files) closeSync(file);
const { code } = await start().exited;
process.stdout.write(`${error}\n${code}\n`);
