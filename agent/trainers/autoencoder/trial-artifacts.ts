/** The artifacts of a trial: reconstructions, checkpoints and the trained model. */

import { type SafeTensor, writeSafetensors } from '../../../lib/files/safetensors.ts';
import type { TrainingRun } from '../trainer.ts';
import { type Progress, type TrialIdentity, writeCheckpoint } from './checkpoint.ts';
import type { Learner } from './learner.ts';
import { type Layer, parameterLayout } from './model.ts';
import { type ExampleImages, isReconstructed } from './reconstructions.ts';
import type { Settings } from './settings.ts';

/** The position of a trial in a learner. */
export interface LearnerPosition {
  readonly learner: Learner;
  readonly member: number;
}

type ShuffleState = Pick<Progress, 'shuffle' | 'order'>;

export class TrialArtifacts {
  private readonly run: TrainingRun;
  private readonly settings: Settings;
  private readonly examples: ExampleImages;

  /** @param examples the example images; the new object takes ownership of their tensors */
  constructor(run: TrainingRun, settings: Settings, examples: ExampleImages) {
    this.run = run;
    this.settings = settings;
    this.examples = examples;
  }

  /**
   * Keeps the artifacts that are due after an epoch's report: reconstructions, and then the model (after the last
   * epoch) or a checkpoint (after any other epoch).
   */
  async keep(place: LearnerPosition, epoch: number, shuffleState: ShuffleState): Promise<void> {
    const { checkpointEvery, reconstructEvery } = this.run;
    const { epochs } = this.settings;
    if (isReconstructed(epoch, reconstructEvery, epochs)) await this.keepReconstructions(place, epoch);
    if (epoch === epochs) await this.keepModel(place, epoch);
    else if (checkpointEvery > 0 && epoch % checkpointEvery === 0)
      await this.keepCheckpoint(place, epoch, shuffleState);
  }

  dispose(): void {
    this.examples.dispose();
  }

  private async keepReconstructions({ learner, member }: LearnerPosition, epoch: number): Promise<void> {
    const { png, safetensors } = await this.examples.reconstruct(epoch, (input) => learner.reconstruct(member, input));
    await this.run.keep({ name: `reconstructions/epoch-${epoch}.png`, kind: 'reconstruction', epoch }, png);
    const name = `reconstructions/epoch-${epoch}.safetensors`;
    await this.run.keep({ name, kind: 'reconstruction', epoch }, safetensors);
  }

  private async keepCheckpoint(
    { learner, member }: LearnerPosition,
    epoch: number,
    shuffleState: ShuffleState,
  ): Promise<void> {
    const bytes = writeCheckpoint(this.run, { epoch, learner: await learner.save(member), ...shuffleState });
    await this.run.keep({ name: `checkpoints/epoch-${epoch}.safetensors`, kind: 'checkpoint', epoch }, bytes);
  }

  private async keepModel({ learner, member }: LearnerPosition, epoch: number): Promise<void> {
    const flat = await learner.parametersOf(member);
    const bytes = writeModel(this.run, learner.layersOf(member), flat);
    await this.run.keep({ name: 'model.safetensors', kind: 'model', epoch }, bytes);
  }
}

const PIXEL_SCALING = 'x / 127.5 - 1: bytes 0..255 become -1..1';

function layerNames(layers: readonly Layer[]): readonly string[] {
  const depth = layers.length / 2;
  return layers.map((_, i) => (i < depth ? `encoder.${i}` : `decoder.${i - depth}`));
}

/**
 * Writes a model in PyTorch's layouts: `<name>.weight` is `[outputs, inputs]` and `<name>.bias` is `[outputs]`, F32.
 */
function writeModel({ seed, parameters }: TrialIdentity, layers: readonly Layer[], flat: Float32Array): Uint8Array {
  const names = layerNames(layers);
  const tensors: [string, SafeTensor][] = [];
  let at = 0;
  parameterLayout(layers).sizes.forEach((size, i) => {
    const data = flat.subarray(at, at + size);
    at += size;
    const { inputs = 0, outputs = 0 } = layers[i >> 1] ?? {};
    const name = names[i >> 1];
    const [part, shape] = i % 2 === 0 ? (['weight', [outputs, inputs]] as const) : (['bias', [outputs]] as const);
    tensors.push([`${name}.${part}`, { dtype: 'F32', shape, data }]);
  });
  const activations = layers.map(({ activation }, i) => ({ name: names[i], activation }));
  return writeSafetensors({
    tensors: Object.fromEntries(tensors),
    metadata: {
      trainer: 'autoencoder',
      parameters: JSON.stringify(parameters),
      seed: `${seed}`,
      activations: JSON.stringify(activations),
      pixels: PIXEL_SCALING,
    },
  });
}
