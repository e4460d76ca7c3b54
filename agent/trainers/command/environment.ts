/** The variables that tell a program about its trial. */
import type { TrainingRun } from '../trainer.ts';
import type { Folders } from './folders.ts';

type Told = Pick<TrainingRun, 'key' | 'seed' | 'parameters' | 'checkpointEvery' | 'resume'>;

/** @param agents the agent's own variables, which the program gets too */
export function environmentOf(run: Told, folders: Folders, agents: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { TRAWL_CHECKPOINT: _, TRAWL_RESUME_EPOCH: __, ...inherited } = agents;
  return {
    // Python holds back what it prints into a pipe, and with it the metrics, until kilobytes of it are there.
    PYTHONUNBUFFERED: '1',
    ...inherited,
    TRAWL_SWEEP: run.key.sweepId,
    TRAWL_TRIAL: run.key.trialId,
    TRAWL_ATTEMPT: `${run.key.attempt}`,
    TRAWL_SEED: `${run.seed}`,
    TRAWL_PARAMETERS: JSON.stringify(run.parameters),
    TRAWL_DIR: folders.own,
    TRAWL_ARTIFACTS: folders.artifacts,
    TRAWL_METRICS: folders.metrics,
    TRAWL_CHECKPOINT_EVERY: `${run.checkpointEvery}`,
    ...(run.resume && { TRAWL_CHECKPOINT: run.resume.path, TRAWL_RESUME_EPOCH: `${run.resume.epoch}` }),
  };
}
