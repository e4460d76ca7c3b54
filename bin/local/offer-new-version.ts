/** Offers to apply an edited sweep file to the sweep of a data folder, before `trawl up` starts any process. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { sweepFingerprint } from '../../coordinator/sweepfile/fingerprint.ts';
import { STORE_FILE } from '../../lib/files/coordinator-file.ts';
import { BadInputError, RejectedError } from '../../proto/errors.ts';
import type { VersionChanges } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { type Sweep, SweepState } from '../../proto/gen/trawl/v1/types.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import { applySweep } from '../client/sweeps.ts';
import type { LoadedSweepFile } from '../options/sweep-file.ts';
import { confirm, hasTerminal } from '../output/confirm.ts';
import { note } from '../output/print.ts';
import { repeated, suggested } from '../output/suggested.ts';
import { comparisonText } from '../output/version-changes.ts';

/**
 * If the file is an edited version of a sweep of the folder, asks whether to apply the file to the sweep. The file runs
 * as a new sweep if the answer is no, or if the sweep cannot change to the file.
 * @throws {BadInputError} without a terminal, with the commands to choose from
 */
export async function offerNewVersion(dir: string, file: LoadedSweepFile): Promise<void> {
  if (!existsSync(join(dir, STORE_FILE))) return;
  await withConnection({ dir, identity: false }, async (connection) => {
    const sweep = await editedSweep(connection, file);
    if (sweep === undefined) return;
    const request = { sweep: sweep.id, fileName: file.fileName, text: file.text };
    const changes = await differences(connection, sweep, request);
    if (changes === undefined) return;
    note(comparisonText(sweep, changes).trimEnd());
    if (!hasTerminal()) throw confirmationError(sweep, file.fileName, dir);
    const question = `Apply ${file.fileName} to sweep ${sweep.id}? Otherwise, it runs as a new sweep.`;
    if (await confirm(question)) await applySweep(connection, { ...request, baseVersion: changes.version - 1 });
  });
}

/** Returns the newest sweep with the name in the file, unless a sweep of the folder has the same content as the file. */
async function editedSweep(connection: Connection, { spec }: LoadedSweepFile): Promise<Sweep | undefined> {
  const { sweeps } = await unary(connection, connection.client.listSweeps, {});
  const open = sweeps.filter(({ state }) => state !== SweepState.STOPPED && state !== SweepState.KILLED);
  const fingerprint = sweepFingerprint(spec);
  if (open.some((sweep) => sweep.fingerprint === fingerprint)) return undefined;
  return open.filter(({ name }) => name === spec.name).at(-1);
}

async function differences(
  connection: Connection,
  sweep: Sweep,
  request: { readonly sweep: string; readonly fileName: string; readonly text: string },
): Promise<VersionChanges | undefined> {
  try {
    const { changes } = await applySweep(connection, { ...request, dryRun: true });
    return changes?.differs ? changes : undefined;
  } catch (error) {
    if (!(error instanceof BadInputError || error instanceof RejectedError)) throw error;
    note(`sweep ${sweep.id} has the same name, but cannot change to ${request.fileName}: ${error.message}`);
    return undefined;
  }
}

function confirmationError({ id }: Sweep, fileName: string, dir: string): BadInputError {
  return new BadInputError(
    `${fileName} is an edited version of sweep ${id}; apply it with: ${suggested(`apply ${fileName} --sweep ${id} --yes`, { dir })}, ` +
      `or run it as a new sweep with: ${repeated(process.argv.slice(2))} --new`,
  );
}
