/** The files that a trial keeps beside its metrics: reconstructions, checkpoints and the model. */
import type { TrainingRun } from '../trainer.ts';
import { type Progress, writeCheckpoint } from './checkpoint.ts';
import type { Learner } from './learner.ts';
import { writeModel } from './model-file.ts';
import { type Examples, isLookedAt } from './reconstructions.ts';
import type { Settings } from './settings.ts';

/** The trial's place in what is trained. */
export interface Trained {
  readonly learner: Learner;
  readonly member: number;
}

type Shuffling = Pick<Progress, 'shuffle' | 'order'>;

export class Products {
  private readonly run: TrainingRun;
  private readonly settings: Settings;
  private readonly examples: Examples;

  /** @param examples owned by the products from here on. */
  constructor(run: TrainingRun, settings: Settings, examples: Examples) {
    this.run = run;
    this.settings = settings;
    this.examples = examples;
  }

  /** What is due after an epoch's report: reconstructions, then a checkpoint or, after the last epoch, the model. */
  async keep(of: Trained, epoch: number, shuffling: Shuffling): Promise<void> {
    const { checkpointEvery, reconstructEvery } = this.run;
    const { epochs } = this.settings;
    if (isLookedAt(epoch, reconstructEvery, epochs)) await this.keepReconstructions(of, epoch);
    if (epoch === epochs) await this.keepModel(of, epoch);
    else if (checkpointEvery > 0 && epoch % checkpointEvery === 0) await this.keepCheckpoint(of, epoch, shuffling);
  }

  dispose(): void {
    this.examples.dispose();
  }

  private async keepReconstructions({ learner, member }: Trained, epoch: number): Promise<void> {
    const { png, safetensors } = await this.examples.look(epoch, (input) => learner.reconstruct(member, input));
    await this.run.keep({ name: `reconstructions/epoch-${epoch}.png`, kind: 'reconstruction', epoch }, png);
    const name = `reconstructions/epoch-${epoch}.safetensors`;
    await this.run.keep({ name, kind: 'reconstruction', epoch }, safetensors);
  }

  private async keepCheckpoint({ learner, member }: Trained, epoch: number, shuffling: Shuffling): Promise<void> {
    const bytes = writeCheckpoint(this.run, { epoch, learner: await learner.save(member), ...shuffling });
    await this.run.keep({ name: `checkpoints/epoch-${epoch}.safetensors`, kind: 'checkpoint', epoch }, bytes);
  }

  private async keepModel({ learner, member }: Trained, epoch: number): Promise<void> {
    const flat = await learner.parametersOf(member);
    const bytes = writeModel(this.run, learner.layersOf(member), flat);
    await this.run.keep({ name: 'model.safetensors', kind: 'model', epoch }, bytes);
  }
}
