import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A sweep of four trials, two of which crash until `mend` is called. @returns the sweep file's text */
export function failingSweep(folder: string): string {
  const program = join(folder, 'program.sh');
  const broken = `case "$*" in *--x=[12]) [ -e '${mendedFile(folder)}' ] || exit 3;; esac`;
  writeFileSync(program, `${broken}; echo '{"epoch": 1, "loss": 0.5}'\n`);
  return [
    `name: failing\ncommand: [sh, "${program}", "\${args}"]\nmetric: {name: loss}\n`,
    'parameters: {x: {values: [1, 2, 3, 4]}}\nretry: {crash: 1, backoff: 0s}\n',
  ].join('');
}

export const mend = (folder: string) => writeFileSync(mendedFile(folder), '');

const mendedFile = (folder: string) => join(folder, 'mended');
