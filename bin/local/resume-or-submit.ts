import { sweepEnded } from '../../lib/domain/trial-state.ts';
import { shellLine } from '../../lib/text/shell.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { type Sweep, SweepState } from '../../proto/gen/trawl/v1/types.ts';
import type { PackedCode } from '../client/code.ts';
import type { Connection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import { controlSweep, getSource, submitSweep } from '../client/sweeps.ts';
import type { LoadedSweepFile } from '../options/sweep-file.ts';
import { suggested } from '../output/suggested.ts';

/**
 * Returns the sweep that `trawl up` runs:
 * - the newest sweep in the data folder that has the same content as the file and, if code is sent, the same code
 * - or else, the newest unfinished sweep with the same content
 * - or else, a new sweep, which is submitted
 *
 * Stopped and killed sweeps are ignored. If the returned sweep is paused, it is resumed. All other running sweeps are
 * paused, so that their trials do not compete for the machine.
 * @param dir the data folder, for the commands that messages suggest
 */
export async function resumeOrSubmit(
  connection: Connection,
  file: LoadedSweepFile,
  code: PackedCode | undefined,
  report: (line: string) => void,
  dir: string,
): Promise<Sweep> {
  const { sweeps } = await unary(connection, connection.client.listSweeps, {});
  const candidates = sweeps.filter((sweep) => sweep.fingerprint === file.fingerprint && !wasStopped(sweep)).reverse();
  const same = code === undefined ? candidates[0] : await sweepWithCode(connection, candidates, code, report, dir);
  for (const other of sweeps) {
    if (other.id === same?.id || sweepEnded(other) || other.state !== SweepState.RUNNING) continue;
    const reason = `"trawl up ${file.fileName}" uses the same folder`;
    await controlSweep(connection, other.id, SweepAction.PAUSE, { reason });
    report(`paused unfinished sweep ${other.id} (${other.name}) in the same folder`);
  }
  if (same === undefined) return submitSweep(connection, file, code);
  if (same.name !== file.spec.name) report(otherNameNote(same, file, dir));
  return same.state === SweepState.PAUSED ? controlSweep(connection, same.id, SweepAction.RESUME) : same;
}

/**
 * Returns the newest candidate with the given code, or else the newest unfinished candidate. The trials of an
 * unfinished sweep run the code that was submitted with it, even if the code has changed since.
 * @param candidates newest first
 */
async function sweepWithCode(
  connection: Connection,
  candidates: readonly Sweep[],
  { source }: PackedCode,
  report: (line: string) => void,
  dir: string,
): Promise<Sweep | undefined> {
  for (const sweep of candidates) {
    const { source: recorded } = await getSource(connection, sweep.id);
    if (recorded?.archive?.sha256 === source.archive.sha256) return sweep;
  }
  const unfinished = candidates.find((sweep) => !sweepEnded(sweep));
  if (unfinished !== undefined) {
    report(
      `sweep ${unfinished.id} continues with the code that was submitted with it, and the code has changed since; to run ` +
        `the new code as a new sweep, stop this one ("${suggested(`stop ${unfinished.id}`, { dir })}") and run the command again`,
    );
  } else if (candidates[0] !== undefined) {
    report(`the code has changed since sweep ${candidates[0].id}: submitting a new sweep`);
  }
  return unfinished;
}

/** Returns a notice about a sweep that has the same content as the file, but another name. */
function otherNameNote({ id, name }: Sweep, { fileName, spec }: LoadedSweepFile, dir: string): string {
  return visibleText(
    `sweep ${id} (${name}) has the same content as ${fileName}, so no sweep named ${spec.name} is submitted; to rename ` +
      `the sweep, run: ${suggested(`apply ${shellLine([fileName])} --sweep ${id} --yes`, { dir })}; to run all trials ` +
      'again, use another folder with --dir',
  );
}

function wasStopped({ state }: Sweep): boolean {
  return state === SweepState.STOPPED || state === SweepState.KILLED;
}
