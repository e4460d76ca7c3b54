// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is the syntax of macros
/** Tests of the trainer `command` with real programs. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BadInputError } from '../../../proto/errors.ts';
import { MAX_ARTIFACT_NAME } from '../../../proto/limits.ts';
import { type RecordedRun, recordedRun } from '../run.fixture.ts';
import type { KeptArtifact, TrainingRun } from '../trainer.ts';
import { command } from './run.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trawl command '));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly run: RecordedRun;
  readonly log: string;
  /** The failure as `class: message`. */
  readonly failure: string | undefined;
  readonly kept: readonly (KeptArtifact & { readonly text: string })[];
}

/** Runs a shell script or a command until it ends. */
async function runProgram(program: string | readonly string[], given: Partial<TrainingRun> = {}): Promise<Outcome> {
  const kept: Outcome['kept'][number][] = [];
  const run = recordedRun({
    parameters: { lr: 0.1, name: 'a b' },
    command: typeof program === 'string' ? ['sh', '-c', program, 'sh', '${args}'] : program,
    dir: join(folder, 'work'),
    workdir: folder,
    keep: async (artifact, content) => {
      if (content instanceof Uint8Array) throw new Error('expected a file');
      kept.push({ ...artifact, text: readFileSync(content.path, 'utf8') });
    },
    ...given,
  });
  let log = '';
  const failure = await command(run, {
    text: (text) => {
      log += text;
    },
    note: (line) => {
      log += `[trawl] ${line}\n`;
    },
  }).then(
    () => undefined,
    (error) => `${error.failureClass ?? error.name}: ${error.message}`,
  );
  return { run, log, failure, kept };
}

const OK = 'echo \'{"loss": 1}\'';

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
  expect(log).toContain('[trawl] ignored values that are not numbers, here and in later reports: "note"');
  expect(log).not.toContain('"loss"');
});

test('lines appended to the metrics file are reports, while the program runs and when it ends', async () => {
  const { run, failure, log } = await runProgram(
    `echo '{"loss": 3}' >> "$TRAWL_METRICS"; sleep 0.5; printf '{"lo' >> "$TRAWL_METRICS"; sleep 0.5
     printf 'ss": 2}\\nwhat\\n{"loss": 1}' >> "$TRAWL_METRICS"`,
  );
  expect({ failure, reports: run.reports }).toEqual({
    failure: undefined,
    reports: [3, 2, 1].map((loss, index) => ({ epoch: index + 1, metrics: { loss } })),
  });
  expect(log).toContain('contains an invalid line');
});

test('environment variables describe the trial to the program', async () => {
  const key = { sweepId: '12', trialId: 'abc', attempt: 2 };
  const resume = { epoch: 4, path: '/tmp/there' };
  const { log } = await runProgram('env; pwd', { key, seed: 5, resume, checkpointEvery: 3 });
  const lines = log.split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      ...['TRAWL_SWEEP=12', 'TRAWL_TRIAL=abc', 'TRAWL_ATTEMPT=2', 'TRAWL_SEED=5', 'TRAWL_RESUME_EPOCH=4'],
      ...['TRAWL_CHECKPOINT=/tmp/there', 'TRAWL_CHECKPOINT_EVERY=3', 'TRAWL_PARAMETERS={"lr":0.1,"name":"a b"}'],
      ...['PYTHONUNBUFFERED=1', folder],
    ]),
  );
  expect((await runProgram('env')).log).not.toContain('TRAWL_CHECKPOINT=');
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

test('a rejected artifact does not fail the trial, a disk error does', async () => {
  const keep = async () => {
    throw new BadInputError('an attempt can have up to 10000 artifacts');
  };
  const refused = await runProgram(`${OK}; echo a > "$TRAWL_ARTIFACTS/a"`, { keep });
  expect(refused.failure).toBeUndefined();
  expect(refused.log).toContain('skipped the artifact "a": an attempt can have up to 10000 artifacts');
  const broken = await runProgram(`${OK}; echo a > "$TRAWL_ARTIFACTS/a"`, {
    keep: () => Promise.reject(new Error('EIO')),
  });
  expect(broken.failure).toBe('Error: EIO');
});

test('a checkpoint is kept for its epoch while the program continues', async () => {
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

test('an attempt that resumes from a checkpoint counts epochs from there, and can have nothing left to do', async () => {
  const resume = { epoch: 4, path: '/tmp/there' };
  expect((await runProgram(OK, { resume })).run.reports).toEqual([{ epoch: 5, metrics: { loss: 1 } }]);
  expect((await runProgram('exit 0', { resume })).failure).toBeUndefined();
  expect((await runProgram(`echo '{"epoch": 4, "loss": 1}'; sleep 60`, { resume })).failure).toMatch(
    /^rejected: epochs must increase: epoch 4 follows epoch 4, from which this attempt resumes/,
  );
});

test.each([
  ['exit 0', /^rejected: sh exited with code 0 but reported no metrics.*\{"epoch": 1, "test_loss": 0.25\}/],
  ['echo first >&2; echo last >&2; exit 3', /^crash: sh exited with code 3: last\nstderr:\nfirst\nlast$/],
  [`${OK}; exit 1`, /^crash: sh exited with code 1, with no output on stderr$/],
  ['kill -9 $$', /^crash: sh was killed by SIGKILL \(possibly out of memory/],
  ['exit 137', /^crash: sh exited with code 137 \(possibly out of memory/],
  [`echo '{"epoch": 0, "loss": 1}'; sleep 60`, /^rejected: epoch must be a positive integer, got 0/],
  [`${OK}; echo '{"epoch": 1, "loss": 1}'; sleep 60`, /^rejected: epochs must increase/],
  [`echo '{"checkpoint": "x"}'; sleep 60`, /^rejected: a checkpoint must follow the metrics of its epoch/],
  [`${OK}; echo '{"checkpoint": "x"}'; sleep 60`, /^rejected: checkpoint "x": expected a file in TRAWL_DIR/],
  [`${OK}; echo '{"checkpoint": "/etc/passwd"}'; sleep 60`, /^rejected: checkpoint "\/etc\/passwd": expected a file/],
  [['no-such-program'], /^preflight: no executable program "no-such-program" on .*PATH \(workdir /],
  [['./train.sh'], /^preflight: no executable program "\.\/train\.sh" in .*trawl command /],
  [['sh', 'a\0b'], /^preflight: could not start /],
])('%j fails with a clear message', async (program, failure) => {
  expect((await runProgram(program, { checkpointEvery: 1 })).failure).toMatch(failure);
});

test('a missing workdir fails in preflight with its path', async () => {
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

test('a stop lets the program handle SIGTERM, and throws the reason of the stop', async () => {
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

test('an attempt that is stopped before its start starts no program', async () => {
  const begun = join(folder, 'begun');
  const { failure } = await runProgram(`touch "${begun}"`, { signal: AbortSignal.abort(new Error('too late')) });
  expect(failure).toBe('Error: too late');
  expect(existsSync(begun)).toBe(false);
});

test('a program that reports faster than the agent reads loses no report', async () => {
  const script = `for (let at = 1; at <= 1500; at++) process.stdout.write('{"epoch":' + at + ',"loss":1}\\n')`;
  const { run, failure } = await runProgram([process.execPath, '-e', script]);
  expect(failure).toBeUndefined();
  expect(run.reports.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 1500 }, (_, at) => at + 1));
});
