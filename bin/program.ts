import { Command } from 'commander';
import { visibleLines } from '../lib/text/visible-text.ts';
import { trawlVersion } from './package.ts';

type Register = (program: Command) => void;

/** The verbs by group. A verb's module is loaded on demand, because the libraries of all verbs take long to load. */
const VERBS: Readonly<Record<string, Readonly<Record<string, () => Promise<Register>>>>> = {
  'Run a sweep:': {
    plan: async () => (await import('./commands/plan.ts')).registerPlan,
    convert: async () => (await import('./commands/convert.ts')).registerConvert,
    up: async () => (await import('./commands/up.ts')).registerUp,
    submit: async () => (await import('./commands/submit.ts')).registerSubmit,
    apply: async () => (await import('./commands/apply.ts')).registerApply,
    wait: async () => (await import('./commands/wait.ts')).registerWait,
  },
  'Inspect:': {
    top: async () => (await import('./commands/top.ts')).registerTop,
    ls: async () => (await import('./commands/ls.ts')).registerLs,
    show: async () => (await import('./commands/show.ts')).registerShow,
    trials: async () => (await import('./commands/trials.ts')).registerTrials,
    best: async () => (await import('./commands/best.ts')).registerBest,
    compare: async () => (await import('./commands/compare.ts')).registerCompare,
    errors: async () => (await import('./commands/errors.ts')).registerErrors,
    explain: async () => (await import('./commands/explain.ts')).registerExplain,
    logs: async () => (await import('./commands/logs.ts')).registerLogs,
    events: async () => (await import('./commands/events.ts')).registerEvents,
    artifacts: async () => (await import('./commands/artifacts.ts')).registerArtifacts,
    agents: async () => (await import('./commands/agents.ts')).registerAgents,
    export: async () => (await import('./commands/export.ts')).registerExport,
    report: async () => (await import('./commands/report.ts')).registerReport,
  },
  'Control:': {
    pause: async () => (await import('./commands/pause.ts')).registerPause,
    resume: async () => (await import('./commands/resume.ts')).registerResume,
    stop: async () => (await import('./commands/stop.ts')).registerStop,
    kill: async () => (await import('./commands/kill.ts')).registerKill,
    retry: async () => (await import('./commands/retry.ts')).registerRetry,
    priority: async () => (await import('./commands/priority.ts')).registerPriority,
    drain: async () => (await import('./commands/drain.ts')).registerDrain,
    undrain: async () => (await import('./commands/undrain.ts')).registerUndrain,
    release: async () => (await import('./commands/release.ts')).registerRelease,
  },
  'Operate:': {
    coordinator: async () => (await import('./commands/coordinator.ts')).registerCoordinator,
    agent: async () => (await import('./commands/agent.ts')).registerAgent,
    certs: async () => (await import('./commands/certs.ts')).registerCerts,
    backup: async () => (await import('./commands/backup.ts')).registerBackup,
    restore: async () => (await import('./commands/restore.ts')).registerRestore,
    migrate: async () => (await import('./commands/migrate.ts')).registerMigrate,
    prune: async () => (await import('./commands/prune.ts')).registerPrune,
    data: async () => (await import('./commands/data.ts')).registerData,
    doctor: async () => (await import('./commands/doctor.ts')).registerDoctor,
    schema: async () => (await import('./commands/schema.ts')).registerSchema,
    completion: async () => (await import('./commands/completion.ts')).registerCompletion,
  },
};

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
   70  a coordinator or an agent could not write durable data, for example because its disk is full
   75  another coordinator leads
  130  interrupted

Environment:
  TRAWL_SERVER    default for --server
  TRAWL_NATS      default for --nats
  TRAWL_IDENTITY  default for --identity
  NO_COLOR        same as --no-color`;

/**
 * Returns the verb in the arguments of a process; undefined if the arguments contain no verb. The verb is the first
 * argument that is not an option, because the options before the verb take no value. In `trawl help VERB`, the verb is
 * the argument after `help`.
 */
export function verbIn(args: readonly string[]): string | undefined {
  const [first, second] = args.filter((arg) => !arg.startsWith('-'));
  return first === 'help' ? second : first;
}

/**
 * Returns the program for Commander. Usage errors are printed, then thrown as CommanderError.
 * @param verb the only verb to load. If undefined or unknown, no verb is loaded: each verb then has only its name,
 *   description and arguments, which the help of the program shows.
 */
export async function buildProgram(verb?: string): Promise<Command> {
  const program = emptyProgram();
  // The verb `show` has its own option `--version`, which the program's option would hide.
  if (verb !== 'show') program.version(trawlVersion());
  const isKnown = Object.values(VERBS).some((verbs) => Object.hasOwn(verbs, verb ?? ''));
  const { addOutline } = isKnown ? {} : await import('./completion/command-index.ts');
  for (const [heading, verbs] of Object.entries(VERBS)) {
    program.commandsGroup(heading);
    for (const [name, load] of Object.entries(verbs)) {
      if (name === verb) (await load())(program);
      else addOutline?.(program, name);
    }
  }
  return program;
}

/** Returns the program with every verb loaded. */
export async function wholeProgram(): Promise<Command> {
  const program = emptyProgram().version(trawlVersion());
  for (const [heading, verbs] of Object.entries(VERBS)) {
    program.commandsGroup(heading);
    for (const load of Object.values(verbs)) (await load())(program);
  }
  return program;
}

function emptyProgram(): Command {
  return (
    new Command('trawl')
      .description('Distributed hyperparameter sweeps: a coordinator, GPU agents, and a live terminal dashboard')
      .option('--no-color', 'disable colors')
      .option('--ascii', 'print ASCII characters only (default on a terminal whose locale is not UTF-8)')
      .option('--debug', 'print the stack of an error')
      .addHelpText('after', AFTER_HELP)
      // This setting must precede the registration of the verbs, because a verb inherits it when it is registered.
      .exitOverride()
      .showHelpAfterError('(see --help)')
      .configureHelp({ sortOptions: true, showGlobalOptions: true })
      .configureOutput({ outputError: (text, write) => write(visibleLines(text.replace(/^error: /, 'trawl: '))) })
  );
}
