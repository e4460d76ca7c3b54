#!/usr/bin/env node
import { EXIT } from '../proto/errors.ts';
import { EXIT_INTERNAL_ERROR, reportFailure } from './failure.ts';
import { buildProgram, verbIn } from './program.ts';
import { holdKeys, opensDashboard } from './top/early-keys.ts';

// It is not an error if the reader closes the pipe early (`trawl trials | head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') {
    process.stderr.write(`trawl: could not write the result: ${error.message}\n`);
    process.exitCode = EXIT_INTERNAL_ERROR;
  }
  process.exit();
});

process.on('SIGINT', () => {
  if (process.listenerCount('SIGINT') === 1) process.exit(EXIT.interrupted);
});

const args = process.argv.slice(2);
const verb = verbIn(args);
if (opensDashboard(verb, args)) holdKeys();
const program = await buildProgram(verb);
try {
  await program.parseAsync();
} catch (error) {
  const { exitCode, text } = reportFailure(error, program.opts<{ debug?: true }>().debug ?? false);
  if (text !== undefined) process.stderr.write(text);
  process.exitCode = exitCode;
}
