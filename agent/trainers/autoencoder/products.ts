/** The files that a trial keeps beside its metrics: reconstructions, checkpoints and the model. */
import type { TrainingRun } from '../trainer.ts';
import { type Progress, writeCheckpoint } from './checkpoint.ts';
import type { Learner } from './learner.ts';
import { writeModel } from './model-file.ts';
import { type Examples, isLookedAt } from './reconstructions.ts';
import type { Settings } from './settings.ts';

export class Products {
  private readonly run: TrainingRun;
  private readonly settings: Settings;
  private readonly learner: Learner;
  private readonly examples: Examples;

  /** @param examples owned by the products from here on. */
  constructor(run: TrainingRun, settings: Settings, learner: Learner, examples: Examples) {
    this.run = run;
    this.settings = settings;
    this.learner = learner;
    this.examples = examples;
  }

  /** What is due after an epoch's report: reconstructions, then a checkpoint or, after the last epoch, the model. */
  async keep(epoch: number, shuffling: Pick<Progress, 'shuffle' | 'order'>): Promise<void> {
    const { checkpointEvery, reconstructEvery } = this.run;
    const { epochs } = this.settings;
    if (isLookedAt(epoch, reconstructEvery, epochs)) await this.keepReconstructions(epoch);
    if (epoch === epochs) await this.keepModel(epoch);
    else if (checkpointEvery > 0 && epoch % checkpointEvery === 0) await this.keepCheckpoint(epoch, shuffling);
  }

  dispose(): void {
    this.examples.dispose();
  }

  private async keepReconstructions(epoch: number): Promise<void> {
    const { png, safetensors } = await this.examples.look(epoch, (input) => this.learner.reconstruct(input));
    await this.run.keep({ name: `reconstructions/epoch-${epoch}.png`, kind: 'reconstruction', epoch }, png);
    const name = `reconstructions/epoch-${epoch}.safetensors`;
    await this.run.keep({ name, kind: 'reconstruction', epoch }, safetensors);
  }

  private async keepCheckpoint(epoch: number, shuffling: Pick<Progress, 'shuffle' | 'order'>): Promise<void> {
    const bytes = writeCheckpoint(this.run, { epoch, learner: await this.learner.save(), ...shuffling });
    await this.run.keep({ name: `checkpoints/epoch-${epoch}.safetensors`, kind: 'checkpoint', epoch }, bytes);
  }

  private async keepModel(epoch: number): Promise<void> {
    const flat = await this.learner.parameters.data<'float32'>();
    const bytes = writeModel(this.run, this.learner.layers, flat);
    await this.run.keep({ name: 'model.safetensors', kind: 'model', epoch }, bytes);
  }
}
