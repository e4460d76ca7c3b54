import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * The test files that take longest, the longest first. If a long file started last, the other cores would be idle until
 * it ends. The files that test Node versions are not next to each other, because each of these files uses all cores.
 */
const LONGEST: readonly RegExp[] = [
  /node-versions\/node-22/,
  /frameworks\/examples/,
  /frameworks\/(wandb|loggers)|security\/greedy|faults\/(nats-failures|nats-logins)/,
  /node-versions\/node-24/,
  /postgres-store\.slow|end-to-end\/(up|code|takeover)\.|faults\/quarantine/,
  /node-versions\//,
  /test\/simulation\/|net\/leader-channel|optuna\/sweep-samplers/,
  /end-to-end\/(top|user-programs|backup|s3-artifacts)\.|faults\/(resume|drain|promotion|pack-early-stopping|disk)/,
  /faults\/(population|stalled|upload|nats-versions|migrate|duplicate-ids|training|upgrade)/,
  /end-to-end\/(gpus|retry|optuna)|security\/(renewal|other-user)|test\/cluster\//,
  /trainers\/autoencoder\//,
  /end-to-end\/(placement|separate-processes|sweep-files|stopped-programs|report|prune|events)/,
  /security\/(secured-sweep|revocation)|faults\/(pack|s3|backlog|away)/,
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
