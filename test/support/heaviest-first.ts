import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Slow files at the end of a run would leave the other cores idle. */
const HEAVY =
  /test\/simulation\/|test\/cluster\/|test\/frameworks\/|test\/node-versions\/|trainers\/autoencoder\/|faults\/(nats-failures|pack|resume|training)|export\/model\//;

/** Runs the heavy files first, and the rest in vitest's own order (by the last duration, or by size). */
export class HeaviestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isHeavy = ({ moduleId }: TestSpecification) => HEAVY.test(moduleId);
    return [...sorted.filter(isHeavy), ...sorted.filter((file) => !isHeavy(file))];
  }
}
