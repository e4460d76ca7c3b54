import { NotFoundError } from '../../../proto/errors.ts';
import type { Trial } from '../../../proto/gen/trawl/v1/types.ts';
import { ArtifactKind } from '../../../proto/gen/trawl/v1/types.ts';
import { type TrialStateName, trialState } from '../../../proto/names.ts';
import { readArtifact } from '../../client/artifacts.ts';
import type { Connection } from '../../client/connect.ts';
import { unary } from '../../client/rpc.ts';

/** The artifact that trainers of networks keep at their end. */
export const MODEL_NAME = 'model.safetensors';

const WHY_NONE: Readonly<Record<TrialStateName, string>> = {
  pending: 'it waits to run, and a model is kept at the end',
  offered: 'it waits to run, and a model is kept at the end',
  running: 'it still runs, and a model is kept at the end',
  succeeded: 'its trainer kept none',
  stopped: 'its trainer kept none',
  failed: 'it failed before its end',
  cancelled: 'it was cancelled before its end',
};

export interface StoredModel {
  readonly trial: Trial;
  /** The artifact's content: a safetensors file. */
  readonly bytes: Uint8Array;
}

/**
 * The trained network of a trial, of its newest attempt that has one.
 * @param of.sweep empty: whichever sweep holds the trial
 * @param of.trial an id, or an unambiguous prefix of it
 * @throws {NotFoundError} when there is no such trial, or it has no model; says why
 */
export async function storedModel(
  connection: Connection,
  of: { readonly sweep: string; readonly trial: string },
): Promise<StoredModel> {
  const { trial, artifacts } = await unary(connection, connection.client.getTrial, of);
  if (trial === undefined) throw new NotFoundError(`there is no trial ${JSON.stringify(of.trial)}`);
  const held = artifacts.some(({ kind, name }) => kind === ArtifactKind.MODEL && name === MODEL_NAME);
  if (!held) {
    const why = WHY_NONE[trialState.of(trial.state)];
    throw new NotFoundError(`trial ${trial.id} has no ${MODEL_NAME}: ${why}`);
  }
  const { bytes } = await readArtifact(connection, {
    sweep: trial.sweepId,
    trial: trial.id,
    attempt: 0,
    name: MODEL_NAME,
  });
  return { trial, bytes };
}
