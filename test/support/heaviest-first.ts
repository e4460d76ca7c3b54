import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * The test files that take longest, the longest first. Long files at the end of a run would leave the other cores idle.
 */
const LONGEST: readonly RegExp[] = [
  /test\/node-versions\//,
  /frameworks\/examples/,
  /frameworks\/(wandb|loggers)/,
  /faults\/(resume|nats-failures|nats-logins)/,
  /test\/simulation\//,
  /end-to-end\/(up|top|user-programs)\./,
  /faults\/quarantine|security\/greedy|end-to-end\/(backup|code|gpus|retry)/,
  /trainers\/autoencoder\//,
  /end-to-end\/(placement|separate-processes|prune|report|events)|security\/(secured-sweep|revocation)/,
  /faults\/(drain|disk|stalled|training|nats-versions|duplicate-ids|pack-metrics)/,
  /test\/cluster\//,
];

const rankOf = ({ moduleId }: TestSpecification): number => {
  const at = LONGEST.findIndex((pattern) => pattern.test(moduleId));
  return at === -1 ? LONGEST.length : at;
};

/** Runs the longest files first, and the rest in vitest's own order (by the last duration, or by size). */
export class HeaviestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.sort((a, b) => rankOf(a) - rankOf(b));
  }
}
