/** Starts a command as a worker does, passes its output on, and waits to be killed. */
import { Program } from './program.ts';

const program = new Program({
  command: process.argv.slice(2),
  workdir: process.cwd(),
  marker: '',
  environment: process.env,
  graceS: 1,
});
program.stdout.on('data', (text) => process.stdout.write(String(text)));
setInterval(() => {}, 1_000);
