/** Offers to apply an edited sweep file to a sweep in the data folder, before `trawl up` starts any process. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { STORE_FILE } from '../../lib/files/coordinator-file.ts';
import { shellLine } from '../../lib/text/shell.ts';
import { BadInputError, EXIT } from '../../proto/errors.ts';
import type { LoadedSweepFile } from '../options/sweep-file.ts';
import { confirm, hasTerminal } from '../output/confirm.ts';
import type { sweepJson } from '../output/json.ts';
import { note } from '../output/print.ts';
import { repeated, suggested } from '../output/suggested.ts';
import { type VersionChangesJson, versionChangesText } from '../output/version-changes.ts';
import { packageRoot } from '../package.ts';

type SweepJson = ReturnType<typeof sweepJson>;

/**
 * Looks in the folder for a sweep that has the same name as in the file, but different content. If there is one, asks
 * whether to apply the file to this sweep. If the answer is no, the file runs as a new sweep. If the file cannot be
 * applied to the sweep, asks whether to run it as a new sweep.
 * @throws {BadInputError} if there is no terminal, if the user rejects a new sweep, or if the file could not be applied
 */
export async function offerNewVersion(dir: string, file: LoadedSweepFile): Promise<void> {
  if (!existsSync(join(dir, STORE_FILE))) return;
  const listed = await trawl('ls', '--dir', dir, '-o', 'json');
  if (listed.code !== 0) return;
  const sweep = editedSweep(JSON.parse(listed.stdout), file);
  if (sweep === undefined) return;
  const apply = ['apply', file.fileName, '--sweep', sweep.sweep, '--dir', dir, '-o', 'json'];
  const compared = await trawl(...apply, '--dry-run');
  if (compared.code !== 0) return requireNewSweep(sweep.sweep, file.fileName, errorOf(compared));
  const { changes }: { changes: VersionChangesJson } = JSON.parse(compared.stdout);
  if (!changes.differs) return;
  note(versionChangesText(sweep, changes).trimEnd());
  if (!hasTerminal()) throw confirmationError(sweep.sweep, file.fileName, dir);
  if (!(await confirm(`Apply ${file.fileName} to sweep ${sweep.sweep}? Otherwise, it runs as a new sweep.`))) return;
  const applied = await trawl(...apply, '--yes');
  if (applied.code !== 0) throw new BadInputError(errorOf(applied));
}

/**
 * Handles a file that cannot be applied to the sweep with the same name: asks whether the file should run as a new
 * sweep.
 * @throws {BadInputError} if there is no terminal, or if the answer is no
 */
async function requireNewSweep(id: string, fileName: string, reason: string): Promise<void> {
  const problem = `${fileName} has the name of sweep ${id}, but cannot be applied to this sweep: ${reason}`;
  const advice = `for a new sweep, run: ${repeated(process.argv.slice(2))} --new`;
  if (!hasTerminal()) throw new BadInputError(`${problem}; ${advice}`);
  note(problem);
  if (!(await confirm(`Run ${fileName} as a new sweep?`))) throw new BadInputError(`no sweep was submitted; ${advice}`);
}

/** Returns the error of a command, without the warnings about the file, which `up` has already printed. */
function errorOf({ stderr }: CommandResult): string {
  const lines = stderr.trim().split('\n');
  return lines
    .filter((line) => !line.startsWith('trawl: warning: '))
    .join('\n')
    .replace(/^trawl: /, '');
}

/**
 * Returns the newest sweep that has the same name as in the file. Undefined if any sweep in the folder has the same
 * content as the file. Ignores stopped and killed sweeps.
 */
function editedSweep(sweeps: readonly SweepJson[], { spec, fingerprint }: LoadedSweepFile): SweepJson | undefined {
  const open = sweeps.filter(({ state }) => state !== 'stopped' && state !== 'killed');
  if (open.some((sweep) => sweep.fingerprint === fingerprint)) return undefined;
  return open.filter(({ name }) => name === spec.name).sort((one, other) => Number(other.sweep) - Number(one.sweep))[0];
}

function confirmationError(id: string, fileName: string, dir: string): BadInputError {
  return new BadInputError(
    `${fileName} is an edited version of sweep ${id}; apply it with: ` +
      `${suggested(`apply ${shellLine([fileName])} --sweep ${id} --yes`, { dir })}; ` +
      `or run it as a new sweep with: ${repeated(process.argv.slice(2))} --new`,
  );
}

interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command in a separate process, so that this process does not open the store. A process releases the lock of a
 * store only when it exits, and the coordinator needs the lock.
 */
function trawl(...args: readonly string[]): Promise<CommandResult> {
  const program = join(packageRoot(), 'bin', 'trawl.mjs');
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], { maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : EXIT.unreachable;
      resolve({ code, stdout, stderr });
    });
  });
}

const MAX_OUTPUT_BYTES = 64 * 2 ** 20;
