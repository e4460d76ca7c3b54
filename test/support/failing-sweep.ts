import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Writes the program of a sweep of four trials. The program crashes in two of the trials until `repairSweep` is called.
 * @returns the text of the sweep file
 */
export function failingSweep(folder: string): string {
  const program = join(folder, 'program.sh');
  const broken = `case "$*" in *--x=[12]) [ -e '${repairedFile(folder)}' ] || exit 3;; esac`;
  writeFileSync(program, `${broken}; echo '{"epoch": 1, "loss": 0.5}'\n`);
  return [
    `name: failing\ncommand: [sh, "${program}", "\${args}"]\nmetric: {name: loss}\n`,
    'parameters: {x: {values: [1, 2, 3, 4]}}\nretry: {crash: 1, backoff: 0s}\n',
  ].join('');
}

/** Lets the trials of a failing sweep succeed from now on. */
export const repairSweep = (folder: string) => writeFileSync(repairedFile(folder), '');

const repairedFile = (folder: string) => join(folder, 'repaired');

/** The JSON output of `trawl retry` and `trawl show`. */
export interface Retried {
  readonly state: string;
  readonly ended_at: string | null;
  readonly retried: number;
  readonly counts: Readonly<Record<string, number>>;
}
