import { NotFoundError } from '../../../proto/errors.ts';
import type { Trial } from '../../../proto/gen/trawl/v1/types.ts';
import { ArtifactKind } from '../../../proto/gen/trawl/v1/types.ts';
import { type TrialStateName, trialState } from '../../../proto/names.ts';
import { readArtifact } from '../../client/artifacts.ts';
import type { Connection } from '../../client/connect.ts';
import { unary } from '../../client/rpc.ts';

/** The name of the artifact in which the trainer `autoencoder` stores its model at the end of a trial. */
export const MODEL_NAME = 'model.safetensors';

const WHY_NONE: Readonly<Record<TrialStateName, string>> = {
  pending: 'the trial has not run yet',
  offered: 'the trial has not run yet',
  running: 'the trial is still running',
  held: 'the trial waits at a rung of early stopping',
  succeeded: 'its trainer stored none',
  stopped: 'its trainer stored none',
  failed: 'the trial failed',
  cancelled: 'the trial was cancelled',
  interrupted: 'the trial was interrupted',
};

export interface StoredModel {
  readonly trial: Trial;
  /** The content of the artifact, a safetensors file. */
  readonly bytes: Uint8Array;
}

/**
 * Returns the trained model of a trial, from the newest attempt that stored a model.
 * @param of.sweep the sweep of the trial. An empty string means the sweep that `of.trial` names in the form SWEEP/ID,
 * or any sweep if `of.trial` names no sweep
 * @param of.trial the id of the trial, or an unambiguous prefix of the id
 * @throws {NotFoundError} when the trial does not exist or has no model
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
