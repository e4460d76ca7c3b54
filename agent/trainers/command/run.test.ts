// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the syntax of macros
/** Tests the trainer `command` with real programs. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { listCode } from '../../../lib/code/folder.ts';
import { packCode } from '../../../lib/code/pack.ts';
import { packageRoot } from '../../../lib/files/package-root.ts';
import { BadInputError } from '../../../proto/errors.ts';
import { type ProgramSpec, WandbMode } from '../../../proto/gen/trawl/v1/attempt_service.ts';
import { MAX_ARTIFACT_NAME } from '../../../proto/limits.ts';
import type { TrainingRun } from '../trainer.ts';
import { eventRecord } from './event-record.fixture.ts';
import { from, ranked, runProgramIn, SPEC } from './run-program.fixture.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trawl command '));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const runProgram = (program: string | readonly string[], given: Partial<TrainingRun> = {}) =>
  runProgramIn(folder, program, given);

const OK = 'echo \'{"epoch": 1, "loss": 1}\'';

const hasPython = spawnSync('python3', ['--version']).status === 0;

describe('programs whose code is in an archive', () => {
  /** Packs files into an archive, and returns its path. */
  async function archiveOf(files: Readonly<Record<string, string>>): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), 'trawl-run-code-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(join(folder, 'code'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'code', name), text);
    await packCode(await listCode(join(folder, 'code')), join(folder, 'code.tar'));
    return join(folder, 'code.tar');
  }

  test('each attempt runs the program in its own folder, and a relative path of a report file refers to that folder', async () => {
    const code = await archiveOf({ 'data.txt': 'from the archive' });
    const script = 'cat data.txt; echo changed > data.txt; printf "step,loss\\n1,0.5\\n" > log.csv; sleep 1';
    for (const attempt of ['first', 'second']) {
      const dir = join(folder, attempt);
      const { run, log, failure } = await runProgram(script, {
        dir,
        code,
        program: from({ $case: 'csv', csv: 'log.csv' }),
      });
      expect(failure).toBeUndefined();
      expect(log).toContain('from the archive');
      expect(run.reports).toEqual([{ epoch: 1, metrics: { loss: 0.5 } }]);
      expect(run.starts).toEqual([{ command: expect.arrayContaining([script]), interpreter: undefined }]);
    }
  });

  test('an attempt fails in preflight, before its program starts, if the code archive is damaged', async () => {
    const code = await archiveOf({ 'a.txt': 'x' });
    writeFileSync(code, 'no archive at all'.repeat(100));
    const { failure, run } = await runProgram('echo started', { code });
    expect(failure).toMatch(/^preflight: the code archive is (not a tar archive|damaged)/);
    expect(run.starts).toEqual([]);
  });
});

test('every report on a line is read, because ranks that share an output can write several reports on one line', async () => {
  const { run, log, failure } = await runProgram(
    `echo '{"epoch":1,"loss":0.5}{"epoch":1,"val":{"acc":2}}'; echo; echo '{"lr":1} {"epoch":2,"loss":0.25}'
     printf '{"epoch":3,"loss":1}{"epoch":4,"loss":2}\n' >> "$TRAWL_METRICS"`,
  );
  expect(failure).toBeUndefined();
  expect(run.reports.filter(({ epoch }) => epoch < 3)).toEqual([
    { epoch: 1, metrics: { loss: 0.5 } },
    { epoch: 1, metrics: { 'val.acc': 2 } },
    { epoch: 2, metrics: { loss: 0.25 } },
  ]);
  expect(run.reports.filter(({ epoch }) => epoch >= 3)).toEqual([
    { epoch: 3, metrics: { loss: 1 } },
    { epoch: 4, metrics: { loss: 2 } },
  ]);
  expect(log).toContain('{"lr":1}');
});

test('metric lines on stdout are reports, and other lines are log text', async () => {
  const { run, log, failure } = await runProgram(
    `echo hello "$@"; echo '{"epoch": 2, "loss": 0.5}'; echo warning >&2; echo '{"loss": NaN}'; printf '{"epoch":9,"loss":0.1,"note":"best"}'`,
  );
  expect(failure).toBeUndefined();
  expect(run.reports).toEqual([
    { epoch: 2, metrics: { loss: 0.5 } },
    { epoch: 3, metrics: { loss: Number.NaN } },
    { epoch: 9, metrics: { loss: 0.1 } },
  ]);
  expect(log).toContain('hello --lr=0.1 --name=a b\n');
  expect(log).toContain('warning\n');
  expect(log).toContain(
    '[trawl] some values are ignored, here and in later reports, because they are not numbers, have no valid name or exceed the limits on metrics: "note"',
  );
  expect(log).not.toContain('"loss"');
});

test('lines appended to the metrics file are read as reports, both while the program runs and after it has ended', async () => {
  const { run, failure, log } = await runProgram(
    `echo '{"loss": 3}' >> "$TRAWL_METRICS"; sleep 0.5; printf '{"lo' >> "$TRAWL_METRICS"; sleep 0.5
     printf 'ss": 2}\\nwhat\\n{"loss": 1}' >> "$TRAWL_METRICS"`,
  );
  expect({ failure, reports: run.reports }).toEqual({
    failure: undefined,
    reports: [3, 2, 1].map((loss, index) => ({ epoch: index + 1, metrics: { loss } })),
  });
  expect(log).toContain('contains an invalid line');
  expect(run.notices).toEqual([
    { kind: 'unreadable_reports', message: '1 line looks like a report but cannot be read', count: 1 },
  ]);
});

test('environment variables describe the trial to the program', async () => {
  const key = { sweepId: '12', trialId: 'abc', attempt: 2 };
  const resume = { epoch: 4, path: '/tmp/there' };
  const { log } = await runProgram('env; pwd', { key, seed: 5, resume, checkpointEvery: 3 });
  const lines = log.split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      ...['TRAWL_SWEEP=12', 'TRAWL_TRIAL=abc', 'TRAWL_ATTEMPT=2', 'TRAWL_SEED=5', 'TRAWL_RESUME_EPOCH=4'],
      ...['TRAWL_CHECKPOINT=/tmp/there', 'TRAWL_CHECKPOINT_EVERY=3', 'TRAWL_PARAMETERS={"lr": 0.1, "name": "a b"}'],
      ...['PYTHONUNBUFFERED=1', folder],
    ]),
  );
  expect((await runProgram('env')).log).not.toContain('TRAWL_CHECKPOINT=');
});

test("a program inherits the environment of the run, and no variables that are set later in the worker's own", async () => {
  process.env.NVIDIA_TF32_OVERRIDE = '0';
  onTestFinished(() => void delete process.env.NVIDIA_TF32_OVERRIDE);
  const environment = { PATH: process.env.PATH, OF_THE_RUN: 'value' };
  const command = ['sh', '-c', 'env; echo "argument $1"', 'sh', '${envvar:OF_THE_RUN}'];
  const { log } = await runProgramIn(folder, command, { environment });
  expect(log.split('\n')).toEqual(expect.arrayContaining(['OF_THE_RUN=value', 'argument value']));
  expect(log).not.toContain('NVIDIA_TF32_OVERRIDE');
});

test('regular files with valid names in the artifacts folder are kept', async () => {
  const long = 'x'.repeat(MAX_ARTIFACT_NAME + 1);
  const { kept, log, failure } = await runProgram(
    `${OK}; cd "$TRAWL_ARTIFACTS"; mkdir -p plots/deep; echo a > model.bin; echo b > plots/deep/loss.txt
     ln -s /etc/passwd link; ln -s / root; mkfifo pipe; echo c > .hidden; echo d > 'a b'; echo e > ${long}`,
  );
  expect(failure).toBeUndefined();
  expect(kept).toEqual([
    { name: 'model.bin', kind: 'file', epoch: 0, text: 'a\n' },
    { name: 'plots/deep/loss.txt', kind: 'file', epoch: 0, text: 'b\n' },
  ]);
  for (const name of ['link', 'root', 'pipe', '.hidden', 'a b', long]) {
    expect(log, name).toContain(`skipped the artifact ${JSON.stringify(name)}: `);
  }
});

test('a rejected artifact does not fail the trial, but a disk error does', async () => {
  const keep = async () => {
    throw new BadInputError('an attempt may have up to 10000 artifacts');
  };
  const rejected = await runProgram(`${OK}; echo a > "$TRAWL_ARTIFACTS/a"`, { keep });
  expect(rejected.failure).toBeUndefined();
  expect(rejected.log).toContain('skipped the artifact "a": an attempt may have up to 10000 artifacts');
  const broken = await runProgram(`${OK}; echo a > "$TRAWL_ARTIFACTS/a"`, {
    keep: () => Promise.reject(new Error('EIO')),
  });
  expect(broken.failure).toBe('Error: EIO');
});

test('a checkpoint is kept with its epoch while the program continues to run', async () => {
  const { kept, failure, run } = await runProgram(
    `cd "$TRAWL_DIR"
     for epoch in 1 2; do
       echo "{\\"loss\\": $epoch}"; echo "weights $epoch" > w$epoch.pt; echo "{\\"checkpoint\\": \\"w$epoch.pt\\"}"
     done
     echo full > "$PWD/all"; echo "{\\"epoch\\": 1, \\"checkpoint\\": \\"$PWD/all\\"}"`,
    { checkpointEvery: 1 },
  );
  expect(failure).toBeUndefined();
  expect(run.reports).toHaveLength(2);
  expect(kept).toEqual([
    { name: 'checkpoints/epoch-1.pt', kind: 'checkpoint', epoch: 1, text: 'weights 1\n' },
    { name: 'checkpoints/epoch-2.pt', kind: 'checkpoint', epoch: 2, text: 'weights 2\n' },
    { name: 'checkpoints/epoch-1', kind: 'checkpoint', epoch: 1, text: 'full\n' },
  ]);
  const disabled = await runProgram(`${OK}; echo '{"checkpoint": "none"}'`, { checkpointEvery: 0 });
  expect(disabled).toMatchObject({ failure: undefined, kept: [] });
});

test('a resumed attempt counts epochs from its checkpoint, and succeeds even if it reports no new epoch', async () => {
  const resume = { epoch: 4, path: '/tmp/there' };
  expect((await runProgram(`echo '{"loss": 1}'`, { resume })).run.reports).toEqual([
    { epoch: 5, metrics: { loss: 1 } },
  ]);
  expect((await runProgram('exit 0', { resume })).failure).toBeUndefined();
  const repeated = await runProgram(`echo '{"epoch": 4, "loss": 1}'`, { resume });
  expect(repeated).toMatchObject({ failure: undefined, run: { reports: [{ epoch: 4, metrics: { loss: 1 } }] } });
});

test.each([
  ['echo first >&2; echo last >&2; exit 3', /^crash: last \(sh exited with code 3\)\nstderr:\nfirst\nlast$/],
  ['printf "x%.0s" $(seq 3000) >&2; exit 3', /^crash: x{499}… \(sh exited with code 3\)$/],
  [`${OK}; exit 1`, /^crash: sh exited with code 1, with no output$/],
  [
    'echo one; echo "ValueError: bad"; exit 1',
    /^crash: ValueError: bad \(sh exited with code 1\)\nstdout:\none\nValueError: bad$/,
  ],
  [
    'echo "torch.OutOfMemoryError: CUDA out of memory." >&2; exit 1',
    /^oom: torch\.OutOfMemoryError: CUDA out of memory\. \(sh exited with code 1\)/,
  ],
  ['echo "RESOURCE_EXHAUSTED: Out of memory while trying to allocate"; exit 1', /^oom: /],
  ['kill -9 $$', /^crash: sh was killed by SIGKILL \(possibly out of memory/],
  [['/usr/bin/env', 'A=1', 'sh', '-c', 'echo no >&2; exit 2'], /^crash: no \(sh exited with code 2\)$/],
  ['exit 137', /^crash: sh exited with code 137 \(possibly out of memory/],
  [['no-such-program'], /^preflight: no executable program "no-such-program" on .*PATH \(workdir /],
  [['./train.sh'], /^preflight: no executable program "\.\/train\.sh" in .*trawl command /],
  [['sh', 'a\0b'], /^preflight: could not start /],
])('%j fails with a clear message', async (program, failure) => {
  expect((await runProgram(program, { checkpointEvery: 1 })).failure).toMatch(failure);
});

test('an attempt fails in preflight if the interpreter of its program does not exist', async () => {
  writeFileSync(join(folder, 'train.py'), '#!/no/such/python\n', { mode: 0o755 });
  expect((await runProgram(['./train.py'])).failure).toMatch(
    /^preflight: could not start .*train\.py in .*ENOENT \(.*first line exists\)$/,
  );
});

test('an attempt fails in preflight if its workdir is removed before the program starts', async () => {
  const workdir = join(folder, 'workdir');
  mkdirSync(workdir);
  const started = () => rmSync(workdir, { recursive: true });
  expect((await runProgram(['/bin/sh', '-c', ':'], { workdir, started })).failure).toMatch(
    /^preflight: could not start \/bin\/sh in .*workdir: .*ENOENT \(the folder was removed after the attempt began\)$/,
  );
});

test('an attempt with a missing workdir fails in preflight, and the error contains the path', async () => {
  const workdir = join(folder, 'gone');
  expect((await runProgram(OK, { workdir })).failure).toBe(
    `preflight: the folder for users' programs does not exist: ${workdir} (--workdir)`,
  );
});

test('a failed attempt keeps its artifacts', async () => {
  const { kept, failure } = await runProgram('echo why > "$TRAWL_ARTIFACTS/why.txt"; exit 2');
  expect(failure).toMatch(/^crash/);
  expect(kept).toHaveLength(1);
});

test('when an attempt is stopped, its program can handle SIGTERM, and the trainer throws the reason for the stop', async () => {
  const controller = new AbortController();
  const reason = new Error('killed');
  const seen: number[] = [];
  const end = join(folder, 'end');
  const { failure, kept } = await runProgram(
    `trap 'echo over > "${end}"; exit 0' TERM; echo a > "$TRAWL_ARTIFACTS/a"; ${OK}; while :; do sleep 0.1; done`,
    {
      signal: controller.signal,
      report: (epoch) => {
        seen.push(epoch);
        controller.abort(reason);
      },
    },
  );
  expect({ failure, seen, kept }).toEqual({ failure: 'Error: killed', seen: [1], kept: [] });
  expect(existsSync(end)).toBe(true);
});

test('if an attempt is stopped before it starts, its program is never started', async () => {
  const begun = join(folder, 'begun');
  const { failure } = await runProgram(`touch "${begun}"`, { signal: AbortSignal.abort(new Error('too late')) });
  expect(failure).toBe('Error: too late');
  expect(existsSync(begun)).toBe(false);
});

test('no report is lost if a program reports faster than the agent can read', async () => {
  const script = `for (let at = 1; at <= 1500; at++) process.stdout.write('{"epoch":' + at + ',"loss":1}\\n')`;
  const { run, failure } = await runProgram([process.execPath, '-e', script]);
  expect(failure).toBeUndefined();
  expect(run.reports.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 1500 }, (_, at) => at + 1));
});

test('a report may have a repeated, lower or fractional step, or step 0, and may lack some of the metrics', async () => {
  const { run, failure } = await runProgram(
    `echo '{"epoch": 0, "train": 3}'; echo '{"epoch": 0, "val": {"loss": 2}}'; echo '{"epoch": 0.5, "train": 1}'
     echo '{"epoch": "3/12", "train": "0.25"}'; echo '{"step": 0.5, "val": 7}'`,
  );
  expect(failure).toBeUndefined();
  expect(run.reports).toEqual([
    { epoch: 0, metrics: { train: 3 } },
    { epoch: 0, metrics: { 'val.loss': 2 } },
    { epoch: 0.5, metrics: { train: 1 } },
    { epoch: 1.5, metrics: { train: 0.25 } },
    { epoch: 0.5, metrics: { val: 7 } },
  ]);
});

test('lines on which a program prints hyperparameters are log output, and the log contains one note about these lines', async () => {
  const { run, log } = await runProgram(
    `echo '{"lr": 0.1, "batch_size": 32}'; echo '{"lr": 0.1}'; echo '{"epoch": 1, "loss": 2}'; echo '{"loss": 1}'`,
    { program: ranked('loss') },
  );
  expect(run.reports).toEqual([
    { epoch: 1, metrics: { loss: 2 } },
    { epoch: 2, metrics: { loss: 1 } },
  ]);
  expect(log).toContain('{"lr": 0.1}\n');
  expect(log.match(/not a report/g)).toHaveLength(1);
  expect(run.notices).toEqual([]);
});

test('a program that ends without a report succeeds, and a missing checkpoint is noted', async () => {
  expect((await runProgram('exit 0')).failure).toBeUndefined();
  const { failure, log, kept } = await runProgram(
    `echo '{"checkpoint": "gone"}'; echo '{"epoch": 3, "checkpoint": "/etc/passwd"}'; echo '{"checkpoint": 3}'`,
    { checkpointEvery: 1 },
  );
  expect({ failure, kept }).toEqual({ failure: undefined, kept: [] });
  expect(log).toContain('skipped the checkpoint "gone": expected a file in TRAWL_DIR');
  expect(log).toContain('skipped the checkpoint "/etc/passwd": expected a file in TRAWL_DIR');
});

test('metrics named like members of Object.prototype are reported', async () => {
  const { run } = await runProgram(`echo '{"epoch": 1, "constructor": 2, "toString": 3}'`);
  expect(run.reports).toEqual([
    {
      epoch: 1,
      metrics: Object.fromEntries([
        ['constructor', 2],
        ['toString', 3],
      ]),
    },
  ]);
});

test('reports after progress bars on the same line are read, and the log keeps the last state of each bar', async () => {
  const { run, log } = await runProgram(
    `printf '\\r 10%%|#  |\\r100%%|###| 10/10{"epoch": 1, "loss": 0.5}\\n'
     printf '\\r 50%%\\r{"epoch": 2, "loss": 0.4}\\n'; printf '\\033[32mgreen\\033[0m\\n'
     printf '\\033[1m{"epoch": 3, "loss": 0.3}\\033[0m\\n'; printf '\\r1/2\\r2/2\\n' >&2`,
  );
  expect(run.reports.map(({ epoch, metrics }) => [epoch, metrics.loss])).toEqual([
    [1, 0.5],
    [2, 0.4],
    [3, 0.3],
  ]);
  for (const line of ['100%|###| 10/10\n', ' 50%\n', 'green\n', '2/2\n']) expect(log).toContain(line);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not occur
  expect(log).not.toMatch(/\x1b|\r|10%\||1\/2|"loss"/);
});

test('a report after NUL and other control characters is accepted, and the log mentions a report that is too long', async () => {
  const long = 600_000;
  const { run, log } = await runProgram(
    `printf '\\000\\001\\033[2K{"epoch": 1, "loss": 0.5}\\n'; head -c ${long} /dev/zero | tr '\\0' y > pad
     printf '{"epoch": 2, "loss": 0.25, "pad": "%s"}\\n' "$(cat pad)"; echo '{"epoch": 3, "loss": 0.125}'`,
  );
  expect(run.reports).toEqual([
    { epoch: 1, metrics: { loss: 0.5 } },
    { epoch: 3, metrics: { loss: 0.125 } },
  ]);
  expect(log.match(/not a report, because the line has more than 262,144 characters: \{"epoch": 2/g)).toHaveLength(1);
});

test('reports as Python dicts, regular-expression matches and JSON can be mixed in one output', async () => {
  const program = from(
    { $case: 'json', json: true },
    { $case: 'python', python: true },
    { $case: 'regex', regex: 'epoch=(?<epoch>\\d+) acc=(?<acc>\\S+)' },
  );
  const { run } = await runProgram(
    `echo '{"epoch": 1, "loss": 1}'; echo "INFO {'loss': 0.5, 'epoch': 2.0}"; echo 'epoch=3 acc=97%'`,
    { program },
  );
  expect(run.reports).toEqual([
    { epoch: 1, metrics: { loss: 1 } },
    { epoch: 2, metrics: { loss: 0.5 } },
    { epoch: 3, metrics: { acc: 97 } },
  ]);
});

test('rows of a CSV file are reports, even after the file was rewritten with another header', async () => {
  const { run, failure } = await runProgram(
    `printf 'epoch,loss\\n1,3\\n' > log.csv; sleep 0.7; printf '2,2\\n' >> log.csv; sleep 0.7
     printf 'epoch,loss,val\\n1,3,\\n2,2,9\\n3,1,8\\n' > log.csv`,
    { program: from({ $case: 'csv', csv: 'log.csv' }) },
  );
  expect(failure).toBeUndefined();
  const rows = [
    { epoch: 1, metrics: { loss: 3 } },
    { epoch: 2, metrics: { loss: 2, val: 9 } },
    { epoch: 3, metrics: { loss: 1, val: 8 } },
  ];
  expect(run.reports).toEqual([{ epoch: 1, metrics: { loss: 3 } }, { epoch: 2, metrics: { loss: 2 } }, ...rows]);
});

test('rows of a CSV file without steps are reports, and rows of an earlier trial are skipped', async () => {
  writeFileSync(join(folder, 'log.csv'), 'loss\n9\n8\n');
  const { run } = await runProgram(`sleep 0.4; printf '5\\n4\\n' >> log.csv`, {
    program: from({ $case: 'csv', csv: 'log.csv' }),
  });
  expect(run.reports.map(({ metrics }) => metrics.loss)).toEqual([5, 4]);
});

test('a CSV file may have cells with line breaks, other separators, and a last row without a line end', async () => {
  const { run, log } = await runProgram(
    `printf 'epoch\\tnote\\tloss\\n1\\t"two\\nlines, one ""quote"""\\t3\\n2\\t"\\n' > a.csv; sleep 0.4; printf '"\\t2' >> a.csv`,
    { program: from({ $case: 'csv', csv: 'a.csv' }) },
  );
  expect(run.reports).toEqual([
    { epoch: 1, metrics: { loss: 3 } },
    { epoch: 2, metrics: { loss: 2 } },
  ]);
  expect(log).not.toContain('invalid row');
});

test('a CSV file that the program replaces, or rewrites with the same header, is read again', async () => {
  const { run } = await runProgram(
    `printf 'epoch,loss\\n1,9\\n2,8\\n' > a.csv; sleep 0.7; printf 'epoch,loss\\n1,3\\n2,2\\n3,1\\n' > a.csv; sleep 0.7
     printf 'epoch,loss\\n1,3\\n2,2\\n3,0\\n' > new; mv new a.csv`,
    { program: from({ $case: 'csv', csv: 'a.csv' }) },
  );
  const values = run.reports.map(({ epoch, metrics }) => [epoch, metrics.loss]);
  expect(values.slice(0, 5)).toEqual([
    [1, 9],
    [2, 8],
    [1, 3],
    [2, 2],
    [3, 1],
  ]);
  expect(values.slice(5)).toEqual([
    [1, 3],
    [2, 2],
    [3, 0],
  ]);
});

test('CSV rows of an earlier trial are skipped, unless the program rewrites the file', async () => {
  writeFileSync(join(folder, 'a.csv'), 'epoch,loss\n1,9\n2,8\n');
  const program = from({ $case: 'csv', csv: 'a.csv' });
  expect((await runProgram(`printf '3,7\\n' >> a.csv`, { program })).run.reports).toHaveLength(1);
  const { run } = await runProgram(`printf 'epoch,loss\\n1,5\\n2,4\\n3,3\\n4,2\\n' > a.csv`, { program });
  expect(run.reports.map(({ metrics }) => metrics.loss)).toEqual([5, 4, 3, 2]);
});

test('scalars of TensorBoard event files are reports at their step, and files of an earlier trial are skipped', async () => {
  writeFileSync(join(folder, 'record'), eventRecord('epoch', 7, 0.5));
  mkdirSync(join(folder, 'runs'));
  writeFileSync(join(folder, 'runs', 'events.out.tfevents.0'), readFileSync(join(folder, 'record')));
  const { run, failure } = await runProgram(
    'mkdir -p runs/a "$TRAWL_ARTIFACTS/tb"; cat record > runs/a/events.out.tfevents.1; cp record "$TRAWL_ARTIFACTS/tb/x.tfevents"',
    { program: from({ $case: 'tfevents', tfevents: 'runs' }, { $case: 'tfevents', tfevents: '${artifacts}/tb' }) },
  );
  expect(failure).toBeUndefined();
  expect(run.reports).toHaveLength(2);
  expect(run.reports).toEqual(
    expect.arrayContaining([
      { epoch: 7, metrics: { 'a/epoch': 0.5 } },
      { epoch: 7, metrics: { epoch: 0.5 } },
    ]),
  );
});

test('macros in environment variables of the sweep file are expanded, and the seed is passed as an argument', async () => {
  const { log } = await runProgram('echo "$FIRST|$SECOND|$*"', {
    seed: 5,
    program: { ...SPEC, env: { FIRST: 'lr is ${param:lr}', SECOND: '${trial}' }, seedParameter: 'seed' },
  });
  expect(log).toContain('lr is 0.1|t0|--lr=0.1 --name=a b --seed=5\n');
});

test('several patterns can match values in one line, and in lines without a step', async () => {
  const sources = [
    '^Epoch +(?<epoch>\\d+) loss (?<loss>\\S+)',
    'acc (?<acc>\\S+)',
    'Test (?<name>\\S+): (?<value>\\S+)',
  ];
  const { run } = await runProgram("printf 'Epoch 1 loss 2 acc 0.5\\nEpoch 2 loss 1 acc 0.6\\nTest F1: 0.7\\n'", {
    program: { ...from(...sources.map((regex) => ({ $case: 'regex' as const, regex }))), metric: 'loss' },
  });
  expect(run.reports).toEqual([
    { epoch: 1, metrics: { loss: 2, acc: 0.5 } },
    { epoch: 2, metrics: { loss: 1, acc: 0.6 } },
    { epoch: 2, metrics: { F1: 0.7 } },
  ]);
});

test('lines on which a regular expression takes exponential time are skipped, and the attempt continues', async () => {
  const program: ProgramSpec = {
    ...from({ $case: 'regex', regex: '(?<loss>(a+)+)$|loss=(?<b>\\S+)' }),
    classify: [
      { pattern: '(a+)+$', class: 'FAILURE_CLASS_OOM' },
      { pattern: 'boom', class: 'FAILURE_CLASS_NAN' },
    ],
  };
  const line = `${'a'.repeat(60)}b`;
  const { run, log, failure } = await runProgram(
    `echo ${line}; echo loss=1; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo ${line}; done; echo boom; exit 1`,
    { program: { ...program, metric: 'b' } },
  );
  expect(run.reports).toEqual([{ epoch: 1, metrics: { b: 1 } }]);
  expect(log).toContain('the regular expression takes more than 500 ms on this line: aaa');
  expect(run.notices).toMatchObject([{ kind: 'unreadable_reports', count: 10 }]);
  expect(log).toContain('skipped the rule "(a+)+$" of classify: it takes more than 1000 ms');
  expect(failure).toMatch(/^nan: /);
});

test.each([
  [{ $case: 'regex', regex: 'epoch (?<epoch>\\d+): loss (?<loss>\\S+)' }, 'INFO epoch 1: loss 0.5'],
  [{ $case: 'json', json: true }, '{"epoch": 1, "loss": 0.5}'],
  [{ $case: 'python', python: true }, "{'loss': 0.5, 'epoch': 1.0}"],
] as const)('reports that a program prints only to stderr are mentioned in a warning: %j', async (source, line) => {
  const script = `printf '%s\\n' "$LINE" "$LINE" >&2; printf '%s\\n' "$LINE" | sed 's/[0-9]/x/g'`;
  const program = { ...from(source), env: { LINE: line } };
  const { run, log, failure } = await runProgram(script, { program });
  expect(failure).toBe(undefined);
  expect(run.notices).toMatchObject([{ kind: 'unreadable_reports', count: 2 }]);
  expect(run.notices[0]?.message).toBe(
    `the program reported nothing: reports are read from stdout, but 2 lines of stderr look like reports, such as ${JSON.stringify(line)}. ` +
      'Print them to stdout, or redirect stderr (see "Reports" in docs/programs.md)',
  );
  expect(log).toContain('[trawl] the program reported nothing');
  const both = await runProgram(`printf '%s\\n' "$LINE" >&2; printf '%s\\n' "$LINE"`, { program });
  expect(both.run).toMatchObject({ notices: [], reports: [{ epoch: 1, metrics: { loss: 0.5 } }] });
});

test('the rules of the sweep file take precedence over the built-in patterns', async () => {
  const program: ProgramSpec = { ...SPEC, classify: [{ pattern: 'NCCL (error|timeout)', class: 'FAILURE_CLASS_OOM' }] };
  expect((await runProgram('echo "x: NCCL timeout"; exit 1', { program })).failure).toMatch(/^oom: /);
});

test('a program that uses W&B gets the WANDB variables and the parameters of the trial', async () => {
  const { log, kept } = await runProgram(
    `env; cat "$WANDB_SWEEP_PARAM_PATH"; mkdir -p "$WANDB_DIR/wandb/offline-run-1-x/files/media"
     echo saved > model.pt; mkdir ckpt; echo 5 > ckpt/5.pt; work=$(pwd)
     cd "$WANDB_DIR/wandb/offline-run-1-x/files"; echo a > media/a.txt; echo b > output.log; echo c > requirements.txt
     ln -s "$work/model.pt" model.pt; mkdir ckpt; ln -s "$work/ckpt/5.pt" ckpt/5.pt; ln -s /dev/zero zero; ln -s nothing gone`,
    { program: { ...SPEC, wandb: WandbMode.OFFLINE }, parameters: { lr: 1e-7, 'opt.name': 'on', deep: true } },
  );
  for (const line of ['WANDB_MODE=offline', 'WANDB_SWEEP_ID=1', 'WANDB_RUN_ID=t0-1', 'WANDB_PROJECT='])
    expect(log).toContain(line);
  expect(log).toContain(
    '"lr": {value: 1.0e-07}\n"opt.name": {value: "on"}\n"opt": {value: {"name": "on"}}\n"deep": {value: true}\n',
  );
  expect(kept.map(({ name, text }) => [name, text])).toEqual([
    ['wandb/ckpt/5.pt', '5\n'],
    ['wandb/media/a.txt', 'a\n'],
    ['wandb/model.pt', 'saved\n'],
  ]);
  expect(readFileSync(join(folder, 'model.pt'), 'utf8')).toBe('saved\n');
  expect((await runProgram('env', { program: { ...SPEC, wandb: WandbMode.OFF } })).log).not.toContain('WANDB_');
});

test('a link in the folder of a W&B run is kept as a copy of its target, but a link among the artifacts is skipped', async () => {
  const { kept, log } = await runProgram(
    `echo own > "$TRAWL_DIR/own.txt"; ln -s "$TRAWL_DIR/own.txt" "$TRAWL_ARTIFACTS/link"
     mkdir -p "$WANDB_DIR/wandb/offline-run-1-x/files"; cd "$WANDB_DIR/wandb/offline-run-1-x/files"
     ln -s "$TRAWL_DIR/own.txt" own.txt; ln -s /missing gone.txt; ln -s /dev/zero endless; ln -s "$TRAWL_DIR" folder`,
    { program: { ...SPEC, wandb: WandbMode.OFFLINE } },
  );
  expect(kept.map(({ name }) => name)).toEqual(['wandb/own.txt']);
  for (const name of ['link', 'gone.txt', 'endless', 'folder']) {
    expect(log).toContain(`skipped the artifact "${name}": not a regular file`);
  }
});

test('W&B receives a non-finite value as a number for float parameters, and as text for other parameters', async () => {
  const { log } = await runProgram('cat "$WANDB_SWEEP_PARAM_PATH"; echo "$TRAWL_PARAMETERS"', {
    program: { ...SPEC, wandb: WandbMode.OFFLINE, floatParameters: ['clip', 'low'] },
    parameters: { clip: 'inf', low: '-inf', name: 'nan' },
  });
  expect(log).toContain('"clip": {value: .inf}\n"low": {value: -.inf}\n"name": {value: "nan"}\n');
  expect(log).toContain('{"clip": Infinity, "low": -Infinity, "name": "nan"}');
});

test('wandb: online adds only the variables WANDB_SWEEP_ID and WANDB_SWEEP_PARAM_PATH', async () => {
  const program = { ...SPEC, wandb: WandbMode.ONLINE };
  const names = (log: string) => [...log.matchAll(/^(WANDB_\w+)=/gm)].map(([, name]) => name ?? '').sort();
  const before = names((await runProgram('env')).log);
  const { log } = await runProgram('env', { program });
  expect(names(log)).toEqual([...new Set([...before, 'WANDB_SWEEP_ID', 'WANDB_SWEEP_PARAM_PATH'])].sort());
});

test.skipIf(!hasPython)(
  'Python programs load the import hook, and a warning is sent if a program does not load the hook',
  async () => {
    const program = from({ $case: 'json', json: true }, { $case: 'hook', hook: 'wandb' });
    writeFileSync(join(folder, 'train.py'), 'print(\'{"epoch": 1, "loss": 1}\')');
    const loaded = await runProgram(['python3', 'train.py'], { program });
    expect(loaded).toMatchObject({ failure: undefined, run: { notices: [], reports: [{ epoch: 1 }] } });
    const isolated = await runProgram(['python3', '-I', 'train.py'], { program, dir: join(folder, 'other') });
    expect(isolated.run.notices).toMatchObject([{ kind: 'hook_not_loaded', count: 1 }]);
    expect(existsSync(join(packageRoot(), 'agent/trainers/command/python/sitecustomize.py'))).toBe(true);
  },
);

/**
 * The source of a Python module with a replacement for W&B's class Run. It has only the methods that the hook wraps.
 */
const WANDB_RUN = `
class Summary:
    def __init__(self):
        self.values = {}

    def _as_dict(self):
        return self.values


class Run:
    def __init__(self):
        self.step = 0
        self.summary = Summary()
        self._on_start()

    def _on_start(self):
        pass

    def define_metric(self, name, step_metric=None, step_sync=None, hidden=None, summary=None, goal=None):
        pass

    def log(self, data, step=None, commit=None):
        self.step += 1

    def finish(self):
        pass
`;

test.skipIf(!hasPython)(
  'the summary that a W&B program defines for a metric is reported with each value of the metric',
  async () => {
    mkdirSync(join(folder, 'wandb', 'sdk'), { recursive: true });
    for (const path of ['wandb/__init__.py', 'wandb/sdk/__init__.py']) writeFileSync(join(folder, path), '');
    writeFileSync(join(folder, 'wandb/sdk/wandb_run.py'), WANDB_RUN);
    writeFileSync(
      join(folder, 'train.py'),
      `from wandb.sdk.wandb_run import Run
run = Run()
run.define_metric("loss", summary="min")
run.define_metric("val/*", summary="max,mean")
run.define_metric("acc", summary="best", goal="maximize")
run.define_metric("f1", None, None, None, "last")
for epoch, value in enumerate([3, float("nan"), 1, 2]):
    run.log({"Epoch": epoch, "loss": value, "val/x": value, "acc": value, "f1": value, "inner": {"loss": value}})
run.finish()`,
    );
    const program = { ...from({ $case: 'json', json: true }, { $case: 'hook', hook: 'wandb' }), metric: 'loss.min' };
    const { run, failure } = await runProgram(['python3', 'train.py'], { program });
    expect({ failure, notices: run.notices }).toEqual({ failure: undefined, notices: [] });
    const summaries = (metrics: Readonly<Record<string, number>>) =>
      Object.fromEntries(Object.entries(metrics).filter(([name]) => /\.(min|max|mean|best|last)$/.test(name)));
    expect(run.reports.map(({ epoch, metrics }) => [epoch, summaries(metrics)])).toEqual([
      [0, { 'loss.min': 3, 'val/x.max': 3, 'val/x.mean': 3, 'acc.best': 3 }],
      [1, {}],
      [2, { 'loss.min': 1, 'val/x.max': 3, 'val/x.mean': 2, 'acc.best': 3 }],
      [3, { 'loss.min': 1, 'val/x.max': 3, 'val/x.mean': 2, 'acc.best': 3 }],
    ]);
  },
);

test("if the path of the attempt's folder is relative, files in TRAWL_ARTIFACTS are kept", async () => {
  const { kept } = await runProgram('cd /; echo a > "$TRAWL_ARTIFACTS/model.pt"', {
    dir: relative(process.cwd(), join(folder, 'own')),
  });
  expect(kept).toMatchObject([{ name: 'model.pt', text: 'a\n' }]);
});
