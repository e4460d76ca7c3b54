import { Command } from 'commander';
import { visibleLines } from '../lib/text/visible-text.ts';
import { registerAgent } from './commands/agent.ts';
import { registerAgents } from './commands/agents.ts';
import { registerArtifacts } from './commands/artifacts.ts';
import { registerBackup } from './commands/backup.ts';
import { registerBest } from './commands/best.ts';
import { registerCerts } from './commands/certs.ts';
import { registerCompare } from './commands/compare.ts';
import { registerCompletion } from './commands/completion.ts';
import { registerConvert } from './commands/convert.ts';
import { registerCoordinator } from './commands/coordinator.ts';
import { registerData } from './commands/data.ts';
import { registerDoctor } from './commands/doctor.ts';
import { registerDrain } from './commands/drain.ts';
import { registerEvents } from './commands/events.ts';
import { registerExplain } from './commands/explain.ts';
import { registerExport } from './commands/export.ts';
import { registerKill } from './commands/kill.ts';
import { registerLogs } from './commands/logs.ts';
import { registerLs } from './commands/ls.ts';
import { registerPause } from './commands/pause.ts';
import { registerPlan } from './commands/plan.ts';
import { registerPriority } from './commands/priority.ts';
import { registerPrune } from './commands/prune.ts';
import { registerRelease } from './commands/release.ts';
import { registerReport } from './commands/report.ts';
import { registerRestore } from './commands/restore.ts';
import { registerResume } from './commands/resume.ts';
import { registerRetry } from './commands/retry.ts';
import { registerSchema } from './commands/schema.ts';
import { registerShow } from './commands/show.ts';
import { registerStop } from './commands/stop.ts';
import { registerSubmit } from './commands/submit.ts';
import { registerTop } from './commands/top.ts';
import { registerTrials } from './commands/trials.ts';
import { registerUndrain } from './commands/undrain.ts';
import { registerUp } from './commands/up.ts';
import { registerWait } from './commands/wait.ts';
import { trawlVersion } from './package.ts';

type Register = (program: Command) => void;

const VERBS: readonly (readonly [string, readonly Register[]])[] = [
  ['Run a sweep:', [registerPlan, registerConvert, registerUp, registerSubmit, registerWait]],
  [
    'Inspect:',
    [
      registerTop,
      registerLs,
      registerShow,
      registerTrials,
      registerBest,
      registerCompare,
      registerExplain,
      registerLogs,
      registerEvents,
      registerArtifacts,
      registerAgents,
      registerExport,
      registerReport,
    ],
  ],
  [
    'Control:',
    [
      registerPause,
      registerResume,
      registerStop,
      registerKill,
      registerRetry,
      registerPriority,
      registerDrain,
      registerUndrain,
      registerRelease,
    ],
  ],
  [
    'Operate:',
    [
      registerCoordinator,
      registerAgent,
      registerCerts,
      registerBackup,
      registerRestore,
      registerPrune,
      registerData,
      registerDoctor,
      registerSchema,
      registerCompletion,
    ],
  ],
];

const AFTER_HELP = `
Run a first sweep on this machine:
  trawl plan sweep.yaml            validate the file and count its trials
  trawl up sweep.yaml --dir DIR    run the sweep and watch it
  trawl best --dir DIR             show the best configs, during the sweep or later

Exit codes:
    0  success
    1  a sweep ended with failed or cancelled trials, or an internal error occurred
    2  invalid input or usage
    3  a server could not be reached
    4  the request was rejected
   70  the disk is full
  130  interrupted

Environment:
  TRAWL_SERVER    default for --server
  TRAWL_NATS      default for --nats
  TRAWL_IDENTITY  default for --identity
  NO_COLOR        same as --no-color`;

/** Returns the complete command line. Usage errors are printed, then thrown as CommanderError. */
export function buildProgram(): Command {
  const program = new Command('trawl')
    .description('Distributed hyperparameter sweeps: a coordinator, GPU agents, and a live terminal dashboard')
    .version(trawlVersion())
    .option('--no-color', 'disable colours')
    .option('--debug', 'print the stack of an error')
    .addHelpText('after', AFTER_HELP)
    // Set before the verbs are added, because they inherit it.
    .exitOverride()
    .showHelpAfterError('(see --help)')
    .configureHelp({ sortOptions: true, showGlobalOptions: true })
    .configureOutput({ outputError: (text, write) => write(visibleLines(text.replace(/^error: /, 'trawl: '))) });
  for (const [heading, verbs] of VERBS) {
    program.commandsGroup(heading);
    for (const register of verbs) register(program);
  }
  return program;
}
