import { sweepFingerprint } from '../../coordinator/sweepfile/fingerprint.ts';
import { sweepEnded } from '../../lib/domain/trial-state.ts';
import { SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { type Sweep, SweepState } from '../../proto/gen/trawl/v1/types.ts';
import type { Connection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import { controlSweep, submitSweep } from '../client/sweeps.ts';
import type { LoadedSweepFile } from '../options/sweep-file.ts';

/**
 * Returns the sweep that `trawl up` runs. This is the newest sweep in the data folder that has the same content and was
 * not stopped or killed, or else a new sweep. A paused sweep is resumed. Unfinished sweeps of other files are paused,
 * so that they do not compete for the machine.
 */
export async function resumeOrSubmit(
  connection: Connection,
  file: LoadedSweepFile,
  report: (line: string) => void,
): Promise<Sweep> {
  const { sweeps } = await unary(connection, connection.client.listSweeps, {});
  const fingerprint = sweepFingerprint(file.spec);
  const same = sweeps.findLast((sweep) => sweep.fingerprint === fingerprint && !wasStopped(sweep));
  for (const other of sweeps) {
    if (other.id === same?.id || sweepEnded(other) || other.state !== SweepState.RUNNING) continue;
    const reason = `"trawl up ${file.fileName}" uses the same folder`;
    await controlSweep(connection, other.id, SweepAction.PAUSE, { reason });
    report(`paused unfinished sweep ${other.id} (${other.name}) in the same folder`);
  }
  if (same === undefined) return submitSweep(connection, { text: file.text, fileName: file.fileName });
  return same.state === SweepState.PAUSED ? controlSweep(connection, same.id, SweepAction.RESUME) : same;
}

function wasStopped({ state }: Sweep): boolean {
  return state === SweepState.STOPPED || state === SweepState.KILLED;
}
