/** `trawl up` goes on where it was: the file's sweep in the folder, or a new one. */
import { randomUUID } from 'node:crypto';
import { sweepFingerprint } from '../../coordinator/sweepfile/fingerprint.ts';
import { sweepEnded } from '../../lib/domain/trial-state.ts';
import { SweepAction } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { type Sweep, SweepState } from '../../proto/gen/trawl/v1/types.ts';
import type { Connection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import { submitSweep } from '../client/sweeps.ts';
import type { LoadedSweepFile } from '../options/sweep-file.ts';

/**
 * The newest sweep of the same content is taken up again, unless a person stopped or killed it. Unfinished sweeps of
 * other files are paused, so that the machine is this one's.
 */
export async function adoptSweep(
  connection: Connection,
  file: LoadedSweepFile,
  say: (line: string) => void,
): Promise<Sweep> {
  const { sweeps } = await unary(connection, connection.client.listSweeps, {});
  const fingerprint = sweepFingerprint(file.spec);
  const mine = sweeps.findLast((sweep) => sweep.fingerprint === fingerprint && !wasEndedByHand(sweep));
  for (const other of sweeps) {
    if (other.id === mine?.id || sweepEnded(other) || other.state !== SweepState.RUNNING) continue;
    await act(connection, other.id, SweepAction.PAUSE, `${file.fileName} was run in the same folder`);
    say(`sweep ${other.id} (${other.name}) of the same folder is not finished; it is paused meanwhile`);
  }
  if (mine === undefined) {
    return submitSweep(connection, { text: file.text, fileName: file.fileName, requestId: randomUUID() });
  }
  if (mine.state === SweepState.PAUSED) await act(connection, mine.id, SweepAction.RESUME, '');
  return mine;
}

function wasEndedByHand({ state }: Sweep): boolean {
  return state === SweepState.STOPPED || state === SweepState.KILLED;
}

async function act(connection: Connection, sweep: string, action: SweepAction, reason: string): Promise<void> {
  await unary(connection, connection.client.controlSweep, { sweep, action, reason, priority: 0 });
}
