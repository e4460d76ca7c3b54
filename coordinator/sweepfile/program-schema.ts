// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
/** Defines the shape of the keys that describe a user's program: its command, reports, environment and code. */
import * as z from 'zod';
import { DEFAULT_CODE_DIFF } from './defaults.ts';
import { atMost, duration, list, size, text } from './fields.ts';

/** The maximum number of items of a command. */
const MAX_COMMAND_ITEMS = 1_000;
const MAX_COMMAND_ITEM = 10_000;
/** The maximum number of environment variables. */
const MAX_VARIABLES = 200;
const MAX_SOURCES = 20;
const MAX_CLASSIFY = 200;
const MAX_PATTERNS = 200;

const argumentError = 'expected text';
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** An argument of a command. Operating systems do not accept a NUL character in an argument. */
const argument = z
  .string({ error: argumentError })
  .max(MAX_COMMAND_ITEM, { error: `expected at most ${MAX_COMMAND_ITEM} characters` })
  .regex(/^[^\0]*$/, { error: 'expected text without a NUL character' });

export const COMMAND_EXAMPLE = 'a program and its arguments, such as [python3, train.py, "${args}"]';
const command = list(argument, COMMAND_EXAMPLE, MAX_COMMAND_ITEMS)
  .min(1, { error: `expected ${COMMAND_EXAMPLE}` })
  .refine((items) => items[0] !== '', { error: 'expected a program as the first item' });

const path = text('a path');
/** The values that the key `hook` accepts. */
export const HOOKS = ['wandb', 'mlflow', 'tensorboard'] as const;
const hook = z.enum(HOOKS);
const reportError =
  'expected json, python, {regex: PATTERN}, {tfevents: FOLDER}, {csv: FILE}, {hook: [wandb, mlflow, tensorboard]}, or a list of them';
const reportSource = z.union(
  [
    z.enum(['json', 'python']),
    z.strictObject({ regex: text('a regular expression') }),
    z.strictObject({ tfevents: path }),
    z.strictObject({ csv: path }),
    z.strictObject({ hook: z.union([hook, z.array(hook).min(1)]) }),
  ],
  { error: reportError },
);

const codeError = 'expected a folder such as ".", or a mapping such as {dir: ., exclude: [data/]}';
const code = z.strictObject(
  {
    dir: path.optional().describe('the folder, relative to the sweep file; default: the folder of the sweep file'),
    exclude: list(text('a pattern'), 'patterns', MAX_PATTERNS)
      .optional()
      .describe('patterns of files that are not sent, in the syntax of .gitignore; apply in addition to .gitignore'),
    diff: z
      .boolean({ error: 'expected true or false' })
      .optional()
      .describe(`whether the changes since the git commit are recorded with the sweep; default: ${DEFAULT_CODE_DIFF}`),
    limit: size.optional().describe('the maximum total size of the files, such as 500MB, up to 1GiB; default: 100MB'),
  },
  { error: codeError },
);

const envError = 'expected text, a number, true or false';

const CLASSES = ['oom', 'nan', 'crash', 'preflight', 'rejected'] as const;

/** The keys of a sweep file that only trainer command uses. */
export const programKeys = {
  command: command
    .optional()
    .describe(
      'the program of trainer command and its arguments. ${args} expands to the parameters as --name=value. Other macros: ' +
        '${args_no_hyphens}, ${args_no_equals}, ${args_no_boolean_flags}, ${args_append_hydra}, ' +
        '${args_override_hydra}, ${args_json}, ${args_json_file}, ${param:NAME}, ${seed} (also in TRAWL_SEED), ' +
        '${trial}, ${artifacts}, ${program}, ${interpreter}, ${env}, ${envvar:NAME}',
    ),
  program: text('a path')
    .regex(/^[^\0$]*$/, { error: 'expected a path without $ or NUL' })
    .optional()
    .describe(
      'the value of ${program} in command; without a command, the command is ${env} ${interpreter} ${program} ${args}',
    ),
  env: z
    .record(
      z.string().regex(VARIABLE_NAME),
      z.union([z.string().regex(/^[^\0]*$/), z.number(), z.boolean()], { error: envError }),
      { error: 'expected a mapping of names to values, such as {OMP_NUM_THREADS: 3}' },
    )
    .superRefine(atMost(MAX_VARIABLES, 'variables'))
    .optional()
    .describe('environment variables for trainer command, in addition to the variables of the agent; default: none'),
  report: z
    .union([reportSource, z.array(reportSource).min(1).max(MAX_SOURCES)], { error: reportError })
    .optional()
    .describe(
      'how the program of trainer command reports: json (lines on stdout or in TRAWL_METRICS), python (dict literals on ' +
        'stdout), a regex with named groups, a folder of TensorBoard event files, a CSV file, or hooks for Python ' +
        'libraries; all entries of a list are read; default: json, and also the hook wandb unless the key wandb is off',
    ),
  classify: list(
    z.strictObject(
      {
        pattern: text('a regular expression').describe(
          'a regular expression, tried on each of the last lines of the output',
        ),
        class: z.enum(CLASSES).describe('the failure class of an attempt whose output matches the pattern'),
      },
      { error: "expected a mapping, such as {pattern: 'NCCL error', class: crash}" },
    ),
    'rules',
    MAX_CLASSIFY,
  )
    .optional()
    .describe(
      'rules that classify a failure by the output of the program, checked before the built-in rules; default: none',
    ),
  wandb: z
    .enum(['offline', 'online', 'off'])
    .optional()
    .describe(
      "offline: the program runs as under W&B's agent, but does not contact W&B's servers; online: the program uses the " +
        "user's own W&B settings; " +
        'default: offline for a file of Weights & Biases, else off',
    ),
  code: code
    .optional()
    .describe(
      'the folder with the program of trainer command: it is sent to the agents, and each attempt runs in a copy of its ' +
        "own; files that .gitignore names are left out; default: programs run in the agent's working folder",
    ),
  first_report: duration
    .optional()
    .describe(
      'the sweep shows a warning when an attempt has sent no report for this long after its start; default: 5m',
    ),
};
