#!/usr/bin/env node
import { EXIT } from '../proto/errors.ts';
import { EXIT_FAULT, reportFailure } from './failure.ts';
import { buildProgram } from './program.ts';

// A pipe that its reader closed early (`trawl trials | head`) is no error, and nobody is left to tell.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') {
    process.stderr.write(`trawl: the result could not be written: ${error.message}\n`);
    process.exitCode = EXIT_FAULT;
  }
  process.exit();
});

// A verb that cleans up on Ctrl-C listens itself; the rest end at once.
process.on('SIGINT', () => {
  if (process.listenerCount('SIGINT') === 1) process.exit(EXIT.interrupted);
});

const program = buildProgram();
try {
  await program.parseAsync();
} catch (error) {
  const { exitCode, text } = reportFailure(error, program.opts<{ debug?: true }>().debug ?? false);
  if (text !== undefined) process.stderr.write(text);
  process.exitCode = exitCode;
}
