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

/** Every verb, in the order of `--help`. */
const VERBS: readonly (readonly [string, readonly Register[]])[] = [
  ['Run a sweep:', [registerPlan, registerConvert, registerUp, registerSubmit, registerWait]],
  [
    'Look:',
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
    'Steer:',
    [
      registerPause,
      registerResume,
      registerStop,
      registerKill,
      registerRetry,
      registerPriority,
      registerDrain,
      registerUndrain,
    ],
  ],
  [
    'Serve:',
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
A first sweep, all on this machine:
  trawl plan sweep.yaml            what it would run
  trawl up sweep.yaml --dir DIR    run it, and watch
  trawl best --dir DIR             its best trials, also when nothing runs any more

Exit codes:
    0  done
    1  a sweep ended with failed or cancelled trials, or trawl itself failed
    2  bad input or usage
    3  a server could not be reached
    4  refused
  130  interrupted

Environment:
  TRAWL_SERVER    HOST:PORT of the coordinator, where --server does not say
  TRAWL_IDENTITY  folder of who you are, where --identity does not say
  NO_COLOR        no colours, as --no-color`;

/** The command line, complete. Usage errors are thrown as CommanderError, once their message has been written. */
export function buildProgram(): Command {
  const program = new Command('trawl')
    .description('Distributed hyperparameter sweeps: a coordinator, GPU agents, and a live terminal dashboard')
    .version(trawlVersion())
    .option('--no-color', 'no colours')
    .option('--debug', 'with an error, show where in trawl it came from')
    .addHelpText('after', AFTER_HELP)
    // Set before the verbs are added: they inherit it.
    .exitOverride()
    .showHelpAfterError('(--help lists what there is)')
    .configureHelp({ sortOptions: true, showGlobalOptions: true })
    .configureOutput({ outputError: (text, write) => write(visibleLines(text.replace(/^error: /, 'trawl: '))) });
  for (const [heading, verbs] of VERBS) {
    program.commandsGroup(heading);
    for (const register of verbs) register(program);
  }
  return program;
}
