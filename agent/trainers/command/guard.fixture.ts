/**
 * Starts a program as a worker does, and is killed before the guard knows the process group of the program. The first
 * argument is the path of a file that the program creates, and the other arguments are the command.
 */
import { existsSync } from 'node:fs';
import { Guard } from './guard.ts';
import { Program } from './program.ts';

const [file = '', ...command] = process.argv.slice(2);
Guard.prototype.setGroup = () => {
  while (!existsSync(file));
  process.kill(process.pid, 'SIGKILL');
};
new Program({ command, workdir: process.cwd(), marker: '', environment: process.env, graceS: 1 });
