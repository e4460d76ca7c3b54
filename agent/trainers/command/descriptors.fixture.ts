/**
 * Starts a program while no file descriptors are left, and prints the error. Then frees the file descriptors, starts
 * the program again, and prints its exit code and its output. With the argument `later`, a program also runs before the
 * file descriptors are used up, so that the code that starts programs is loaded.
 */
import { closeSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { Program } from './program.ts';

const start = () =>
  new Program({
    command: ['/bin/sh', '-c', 'readlink /proc/self/fd/1'],
    workdir: '/',
    marker: '',
    environment: { PATH: process.env.PATH },
    graceS: 1,
  });

if (process.argv.includes('later')) {
  const first = start();
  await Promise.all([first.exited, text(first.stdout)]);
}
const files: number[] = [];
try {
  for (;;) files.push(openSync('/dev/null', 'r'));
} catch {
  // The limit has been reached.
}
const program = start();
const error = await program.exited.catch((each: Error) => each.message);
for (const file of files) closeSync(file);
const last = start();
const [{ code }, output] = await Promise.all([last.exited, text(last.stdout)]);
process.stdout.write(`${error}\n${code}\n${output}`);
