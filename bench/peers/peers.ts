/** The peers. Each runs many trials in the fastest way that its documentation describes. */
import type { AbsentPeer, Peer } from './peer.ts';

const RAY = 'ray[tune]==2.60.0';
const OPTUNA = 'optuna==5.0.0';
const NO_RETRY = 'does not retry';

const TRAWL_WORKER = { processes: /worker\/main\.js/, all: false, resumes: false } as const;
const TRAWL_COORDINATOR = { processes: /trawl\.mjs coordinator /, all: false, resumes: false } as const;
const HQ_PROCESS = { all: false, resumes: false } as const;
const RAY_TUNE = {
  packages: [RAY],
  startsPrograms: false,
  program: 'ray_program.py',
  worker: {
    // The class of an actor that runs a function. Other processes of Ray also have names that start with ray::.
    processes: /^ray::ImplicitFu/,
    all: false,
    resumes: false,
    how: 'FailureConfig(max_failures=2) starts the trial again',
  },
  controller: { processes: /ray_program\.py/, all: false, resumes: true, how: 'Tuner.restore(restart_errored=True)' },
} as const;
const OPTUNA_PROCESS = { processes: /^optuna-worker /, all: false, resumes: false } as const;
const ALL_OF_OPTUNA = {
  processes: /optuna_program\.py/,
  all: true,
  resumes: true,
  how: 'has no controller; all processes are killed, and start again with the same storage',
} as const;

const PEERS: readonly Peer[] = [
  {
    name: 'trawl',
    about: 'built-in trainer (`noop`, `autoencoder`), one worker process per slot, SQLite',
    packages: [],
    startsPrograms: true,
    program: 'trawl',
    variant: 'trainer',
    worker: { reason: 'the same as for trawl-command' },
    controller: { reason: 'the same as for trawl-command' },
    cost: { start: 6, noop: 0.003, train: 1 },
  },
  {
    name: 'trawl-command',
    about: '`command`, one process per trial, SQLite',
    packages: [],
    startsPrograms: true,
    program: 'trawl',
    variant: 'command',
    worker: { ...TRAWL_WORKER, how: 'the agent starts another worker process, and the trial is retried' },
    controller: { ...TRAWL_COORDINATOR, how: '`trawl up` restarts the coordinator with its store' },
    cost: { start: 6, noop: 0.008, train: 2.5 },
  },
  {
    name: 'hyperqueue',
    about: 'one job, one task (a process) per trial, LocalCluster, no journal',
    packages: ['hyperqueue==0.27.0'],
    startsPrograms: true,
    program: 'hyperqueue_program.py',
    variant: '',
    worker: { reason: "its Python package runs workers only in the server's process" },
    controller: { reason: 'its Python package cannot write a journal (`hq server start --journal` can)' },
    cost: { start: 1, noop: 0.002, train: 2 },
  },
  {
    name: 'hyperqueue-journal',
    about: 'program `hq`: one task array, one task (a process) per trial, server with a journal (flushed every second)',
    packages: [],
    startsPrograms: true,
    program: 'hyperqueue_journal_program.py',
    tool: {
      command: process.env.TRAWL_HQ || 'hq',
      missing:
        'needs the program hq 0.27 (on PATH, or in TRAWL_HQ), which the Python package of HyperQueue does not contain',
    },
    variant: '',
    worker: { ...HQ_PROCESS, processes: / worker start /, how: 'another worker is started, and gets the task' },
    controller: {
      ...HQ_PROCESS,
      processes: / server start /,
      how: 'the server restarts with its journal, and another worker starts',
    },
    cost: { start: 2, noop: 0.002, train: 2 },
  },
  {
    ...RAY_TUNE,
    name: 'ray',
    about: 'Tuner, function trainable, one actor per trial',
    variant: 'functions',
    cost: { start: 12, noop: 1, train: 4 },
  },
  {
    ...RAY_TUNE,
    name: 'ray-reuse',
    about: 'Tuner, function trainable, reuse_actors=True',
    variant: 'reused actors',
    cost: { start: 12, noop: 0.05, train: 1 },
  },
  {
    name: 'optuna-sqlite',
    about: 'GridSampler, one process per slot, SQLite',
    packages: [OPTUNA],
    startsPrograms: false,
    program: 'optuna_program.py',
    variant: 'sqlite',
    worker: { ...OPTUNA_PROCESS, how: 'heartbeat and RetryHeartbeatStaleTrialCallback; another process is started' },
    controller: ALL_OF_OPTUNA,
    cost: { start: 3, noop: 0.2, train: 1 },
  },
  {
    name: 'optuna-journal',
    about: 'GridSampler, one process per slot, JournalFileBackend',
    packages: [OPTUNA],
    startsPrograms: false,
    program: 'optuna_program.py',
    variant: 'journal',
    worker: { ...OPTUNA_PROCESS, how: 'no heartbeat; another process is started' },
    controller: ALL_OF_OPTUNA,
    cost: { start: 3, noop: 0.1, train: 1 },
  },
  {
    name: 'optuna-postgresql',
    about: 'GridSampler, one process per slot, PostgreSQL',
    packages: [OPTUNA, 'psycopg[binary]==3.3.9'],
    startsPrograms: false,
    program: 'optuna_program.py',
    variant: 'database',
    database: true,
    worker: { ...OPTUNA_PROCESS, how: 'heartbeat and RetryHeartbeatStaleTrialCallback; another process is started' },
    controller: ALL_OF_OPTUNA,
    cost: { start: 5, noop: 0.05, train: 1 },
  },
  {
    name: 'syne-tune',
    about: 'LocalBackend, one process per trial, sleep_time=0.02',
    packages: ['syne-tune==0.16.0'],
    startsPrograms: false,
    program: 'syne_tune_program.py',
    variant: '',
    worker: { processes: /syne_tune_program\.py .*--point/, all: false, resumes: false, how: NO_RETRY },
    controller: {
      processes: /syne_tune_program\.py \{/,
      all: false,
      resumes: true,
      how: 'Tuner.load(path).run(); the tuner is saved once per second',
    },
    cost: { start: 3, noop: 1.2, train: 3 },
  },
];

const ABSENT: readonly AbsentPeer[] = [
  {
    name: 'wandb',
    absent:
      "the local controller keeps the sweep on a W&B server, and its agents get their trials from the server; a client without a server fails with 'No API key configured', and the benchmark installs no server",
  },
];

export const ALL_PEERS: readonly (Peer | AbsentPeer)[] = [...PEERS, ...ABSENT];
