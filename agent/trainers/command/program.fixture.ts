/** For a test: starts the command named, says which group it is, and waits to be killed. */
import { Program } from './program.ts';

const program = new Program({
  command: process.argv.slice(2),
  workdir: process.cwd(),
  environment: process.env,
  graceS: 1,
});
program.stdout.on('data', (text) => process.stdout.write(String(text)));
setInterval(() => {}, 1_000);
