import type { Command } from 'commander';
import { sweepFileJsonSchema } from '../../coordinator/sweepfile/json-schema.ts';
import { withHelp } from '../options/common.ts';
import { printJson } from '../output/print.ts';

export function registerSchema(program: Command): void {
  const command = program.command('schema').description('print the JSON Schema of the sweep file, for editors');
  withHelp(command, {
    remote: false,
    examples: [
      ['trawl schema > sweep.schema.json', 'use it in the editor, or in a "# yaml-language-server: $schema=" comment'],
    ],
  }).action(() => printJson(sweepFileJsonSchema()));
}
