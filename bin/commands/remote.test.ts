/** Tests verbs with a coordinator whose answers are fixed. The tests in test/ use a real coordinator. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { sweepFingerprint } from '../../coordinator/sweepfile/fingerprint.ts';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { configsOf, rankConfigs } from '../../lib/domain/configs.ts';
import type {
  ControlSweepRequest,
  ListTrialsRequest,
  SubmitRequest,
  SweepServiceServer,
} from '../../proto/gen/trawl/v1/sweep_service.ts';
import {
  Attempt,
  Event,
  FailureClass,
  type Report,
  SweepState,
  type Trial,
  TrialState,
} from '../../proto/gen/trawl/v1/types.ts';
import { type CannedServer, serveCanned } from '../../test/support/cli/canned-service.ts';
import { runTrawl } from '../../test/support/cli/run-trawl.ts';
import { delta, endedTrial, START_MS, sampleSweep, snapshot } from '../../test/support/dashboard/sample.ts';
import { isoTime } from '../output/format.ts';

let server: CannedServer | undefined;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'trawl-remote-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));
afterEach(() => {
  server?.stop();
  server = undefined;
});

const sweep = sampleSweep({
  name: 'hostile \u001b[2J',
  state: SweepState.FINISHED,
  counts: { succeeded: 1, failed: 1 },
  endedAtMs: START_MS + 9_000,
});
const good: Trial = { ...endedTrial(0, { test_loss: 0.1, psnr: Number.NaN }), rank: 1 };
const bad: Trial = {
  ...endedTrial(1, {}),
  state: TrialState.FAILED,
  failure: { class: FailureClass.CRASH, message: 'said "no", then\nfell' },
};

const answers: Partial<SweepServiceServer> = {
  listSweeps: (_call, callback) => callback(null, { sweeps: [sweep] }),
  getSweep: (_call, callback) => callback(null, { sweep, text: 'name: x' }),
  listTrials: (call) => {
    call.write({ trials: [good] });
    call.write({ trials: [bad] });
    call.end();
  },
  watch: (call) => {
    call.write(snapshot(sweep));
    call.end();
  },
};

async function trawl(overrides: Partial<SweepServiceServer>, ...args: string[]) {
  server = await serveCanned({ ...answers, ...overrides });
  return runTrawl(...args, '--server', server.address);
}

test('ls prints a table without color or control characters, ids with -q, and an array with -o json', async () => {
  const table = await trawl({}, 'ls');
  expect(table).toMatchObject({ stderr: '', exitCode: 0 });
  expect(table.stdout).toMatch(/^ +7 {2}hostile ␛\[2J {2}finished, 1 of 2 failed +2\/2 +0 +1 {2}/m);
  expect(table.stdout).not.toContain('\u001b');
  expect((await trawl({}, 'ls', '-q')).stdout).toBe('7\n');
  expect(JSON.parse((await trawl({}, 'ls', '-o', 'json')).stdout)).toMatchObject([
    { sweep: '7', name: 'hostile \u001b[2J', state: 'finished', trials: 2, seconds: 9 },
  ]);
});

test('trials --filter prints matching trials, and rejects an unknown name of a parameter or metric', async () => {
  const failed = await trawl({}, 'trials', '--filter', 'failure=crash or test_loss<0.05', '-q');
  expect(failed.stdout).toBe(`${bad.id}\n`);
  const limited = await trawl({}, 'trials', '--filter', 'not latent_dim>15', '--limit', '1', '-q');
  expect(limited.stdout).toBe(`${good.id}\n`);
  const unknown = await trawl({}, 'trials', '--filter', 'psmr>20');
  expect(unknown.exitCode).toBe(2);
  expect(unknown.stderr).toContain('no trial has "psmr"; known names: dataset, depth');
  const broken = await trawl({}, 'trials', '--filter', 'psnr>');
  expect(broken.exitCode).toBe(2);
  expect(broken.stderr).toContain('expected a value after ">"');
});

test('trawl trials requests the given metric, goal, states and limit', async () => {
  let asked: ListTrialsRequest | undefined;
  const { exitCode } = await trawl(
    {
      listTrials: (call) => {
        asked = call.request;
        call.end();
      },
    },
    ...['trials', '--by', 'psnr', '--goal', 'min', '--state', 'failed,running', '--limit', '3'],
  );
  expect(exitCode).toBe(0);
  expect(asked).toEqual({
    sweep: '7',
    rankBy: 'psnr',
    goal: 'GOAL_MINIMIZE',
    limit: 3,
    states: ['TRIAL_STATE_FAILED', 'TRIAL_STATE_RUNNING'],
    trialIds: [],
  });
});

test('trawl errors groups the failed trials by class and error, with an example and the agents', async () => {
  let asked: ListTrialsRequest | undefined;
  const failures: Partial<SweepServiceServer> = {
    listTrials: (call) => {
      asked = call.request;
      call.write({ trials: [{ ...bad, id: 'ffff00000000', index: 7, agentId: 'agent-2' }, bad] });
      call.end();
    },
  };
  const { stdout } = await trawl(failures, 'errors');
  expect(asked?.states).toEqual(['TRIAL_STATE_FAILED']);
  expect(stdout).toMatch(
    /^trials +class +error +example +agents\n +2 +crash +said "no", then +a1000000 +agent-1, agent-2\n$/,
  );
  const json = await trawl(failures, 'errors', '-o', 'json');
  expect(JSON.parse(json.stdout)).toEqual([
    {
      class: 'crash',
      error: 'said "no", then',
      count: 2,
      agents: ['agent-1', 'agent-2'],
      trials: [bad.id, 'ffff00000000'],
    },
  ]);
});

test('trawl errors prints a message if no trial of the sweep has failed', async () => {
  const { stdout, exitCode } = await trawl({ listTrials: (call) => void call.end() }, 'errors');
  expect({ stdout, exitCode }).toEqual({ stdout: 'no trial has failed\n', exitCode: 0 });
});

test('trials -o json prints null for metrics that are not finite', async () => {
  const { stdout } = await trawl({}, 'trials', '-o', 'json');
  expect(JSON.parse(stdout)).toEqual([
    {
      trial: 'a000000000000000',
      config: 'c00',
      sweep: '7',
      index: 0,
      state: 'succeeded',
      rank: 1,
      parameters: { dataset: 'mnist', depth: 3, epochs: 2, latent_dim: 15, noise_std: 0 },
      seed: 0,
      epoch: 2,
      metrics: { psnr: null, test_loss: 0.1 },
      metric_steps: { psnr: 2, test_loss: 2 },
      attempts: 1,
      agent: 'agent-1',
      backend: 'wasm',
      failure: null,
      stop_reason: null,
      dropped_in: null,
      started_at: '2026-01-02T03:04:10.000Z',
      ended_at: '2026-01-02T03:04:14.000Z',
      seconds: 4,
    },
    expect.objectContaining({ rank: null, failure: { class: 'crash', message: 'said "no", then\nfell' } }),
  ]);
});

test('trawl trials prints shared parameters once, and prints varying parameters as columns', async () => {
  const lines = (await trawl({}, 'trials')).stdout.split('\n');
  expect(lines[0]).toBe('all: dataset=mnist depth=3 epochs=2 latent_dim=15');
  expect(lines[1]).toMatch(/^rank {2}trial +state +failure +noise_std +test_loss +epoch +psnr /);
  expect(lines[2]).toMatch(/^ {3}1 {2}a000000000000000 {2}succeeded +0 +0\.10000 +2 +nan +4\.0 +1 {2}agent-1 {2}wasm$/);
  expect(lines[3]).toMatch(/^ {3}- {2}a100000000000000 {2}failed +crash: said "no", then +0\.5 /);
});

test('trials --columns prints the named columns in the given order, and rejects a column that the table lacks', async () => {
  const { stdout } = await trawl({}, 'trials', '--columns', 'state, test_loss,rank');
  const [header = '', first = ''] = stdout.split('\n').slice(-4);
  expect([header, first].map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['state', 'test_loss', 'rank'],
    ['succeeded', '0.10000', '1'],
  ]);
  const configs = await trawl(withConfigs, 'trials', '--configs', '--columns', 'config,n');
  expect(configs.stdout).toMatch(/^config +n$/m);
  const unknown = await trawl({}, 'trials', '--columns', 'test_los');
  expect(unknown).toMatchObject({ exitCode: 2 });
  expect(unknown.stderr).toMatch(/--columns: no column "test_los"; expected rank, .*; did you mean "test_loss"\?/);
  expect((await trawl({}, 'trials', '--columns', 'rank', '-q')).stderr).toContain('--columns applies to tables');
});

test('best --trials omits trials without a value', async () => {
  expect(JSON.parse((await trawl({}, 'best', '--trials', '-o', 'json')).stdout)).toHaveLength(1);
});

const configs = rankConfigs(
  configsOf([
    ...[0.1, 0.3].map((test_loss, seed) => ({ ...endedTrial(0, { test_loss }), id: `a${seed}`, seed })),
    ...[0.4, 0.5].map((test_loss, seed) => ({ ...endedTrial(2, { test_loss }), id: `b${seed}`, seed })),
    { ...bad, id: 'a2', configId: 'c00', seed: 2 },
    { ...bad, id: 'd0', configId: 'c30' },
  ]),
  'test_loss',
  'minimize',
);

const withConfigs: Partial<SweepServiceServer> = {
  listConfigs: (call) => {
    call.write({ configs });
    call.end();
  },
};

test('trawl best ranks configs by the mean over their replicates, and shows how many replicates failed', async () => {
  const lines = (await trawl(withConfigs, 'best')).stdout.split('\n');
  expect(lines[0]).not.toContain('noise_std');
  expect(lines[1]).toMatch(/^rank {2}config {2}latent_dim {2}noise_std +test_loss {2}n {2}replicates +trials$/);
  expect(lines[2]).toMatch(/^ {3}1 {2}c00 +15 +\S+ +0\.20000 ± 0\.14 {2}2 {2}2 succeeded, 1 failed {2}a0 a1 a2$/);
  expect(lines[3]).toMatch(/^ {3}2 {2}c10 +30 +\S+ +0\.45000 ± 0\.071 {2}2 {2}2 succeeded +b0 b1$/);
  expect(lines[4]).toBe('');
});

test('trawl best prints notes about omitted rows, and the reason if a sweep has no ranking', async () => {
  const hidden = await trawl(withConfigs, 'best', '--top', '1');
  expect(hidden.stdout.split('\n').filter((line) => / c[013]0 /.test(line))).toHaveLength(1);
  expect(hidden.stderr).toContain('more configs are ranked; show them with --top 4');
  expect(hidden.stderr).toMatch(/not ranked: 1 failed; see (npx )?trawl errors 7 --server \S+\n/);
  const none: Partial<SweepServiceServer> = {
    listConfigs: (call) => call.end(),
    getSweep: (_call, callback) =>
      callback(null, { sweep: { ...sweep, counts: { ...sweep.counts, succeeded: 0, failed: 2 } as never }, text: '' }),
  };
  expect((await trawl(none, 'best')).stdout).toMatch(
    /^no results: the sweep is finished, 2 of 2 failed; see (npx )?trawl errors 7 --server \S+\n$/,
  );
});

test('trawl best prints the assumed goal of a metric if the sweep declares no goal for the metric', async () => {
  expect((await trawl({}, 'best', '--trials', '--by', 'psnr')).stdout).toMatch(
    /^maximize psnr \(--goal min reverses the order\)\n/,
  );
  expect((await trawl({}, 'best', '--trials', '--by', 'psnr', '--goal', 'max')).stdout).not.toContain('maximize');
  expect((await trawl({}, 'best', '--trials')).stdout).not.toContain('minimize');
});

test('trials --configs includes configs without a value, prints ids with -q and means with -o json', async () => {
  expect((await trawl(withConfigs, 'trials', '--configs', '-q')).stdout).toBe('c00\nc10\nc30\n');
  const json = JSON.parse((await trawl(withConfigs, 'trials', '--configs', '-o', 'json')).stdout);
  expect(json[0]).toMatchObject({
    ...{ config: 'c00', rank: 1, trials: ['a0', 'a1', 'a2'] },
    metrics: { test_loss: { mean: expect.closeTo(0.2, 12), n: 2 } },
  });
  expect(json[2]).toMatchObject({ config: 'c30', rank: null, counts: { failed: 1 }, metrics: {} });
});

test('trawl export writes a CSV file as defined in RFC 4180, and a failed export leaves no file', async () => {
  const out = join(dir, 'trials.csv');
  const { stdout, exitCode } = await trawl({}, 'export', '--out', out);
  expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 0 });
  const text = await readFile(out, 'utf8');
  expect(text.split('\r\n')[0]).toBe(
    'trial,config,sweep,index,state,rank,seed,dataset,depth,epochs,latent_dim,noise_std,psnr,test_loss,' +
      'step,epoch,attempts,agent,backend,failure_class,failure_message,stop_reason,dropped_in,started_at,ended_at,seconds',
  );
  expect(text).toContain(',crash,"said ""no"", then\nfell",');
  const failed = await trawl({}, 'export', '--out', join(dir, 'no', 'such', 'folder.csv'));
  expect(failed.exitCode).toBe(2);
  expect(await readdir(dir)).toEqual(['trials.csv']);
});

test('export -f json writes the same objects as trials -o json', async () => {
  const exported = (await trawl({}, 'export', '-f', 'json')).stdout;
  expect(JSON.parse(exported)).toEqual(JSON.parse((await trawl({}, 'trials', '-o', 'json')).stdout));
});

test('trawl wait exits with 1 if trials failed, and otherwise with 0', async () => {
  const failed = await trawl({}, 'wait');
  expect(failed.exitCode).toBe(1);
  expect(failed.stdout).toContain('finished: 1 succeeded, 1 failed in 9.0s');
  const fine = sampleSweep({ state: SweepState.FINISHED, counts: { succeeded: 8 }, endedAtMs: START_MS + 1 });
  const succeeded = await trawl(
    {
      watch: (call) => {
        call.write(snapshot());
        call.write(delta({ sweep: fine }));
        call.end();
      },
    },
    'wait',
  );
  expect(succeeded.exitCode).toBe(0);
});

test('wait --timeout exits with 3 and prints the progress', async () => {
  const running = sampleSweep();
  const { exitCode, stderr } = await trawl(
    {
      getSweep: (_call, callback) => callback(null, { sweep: running, text: '' }),
      watch: (call) => {
        call.write(snapshot());
      },
    },
    ...['wait', '--timeout', '200ms'],
  );
  expect(exitCode).toBe(3);
  expect(stderr).toContain('timed out after 0.2s; sweep 7 continues (0 of 8 trials finished)');
});

test.each(['pause', 'resume', 'stop', 'kill'])('the command %s sends its action with the reason', async (verb) => {
  let asked: ControlSweepRequest | undefined;
  const reason = verb === 'resume' ? [] : ['--reason', 'why not'];
  const { stdout, exitCode } = await trawl(
    {
      controlSweep: (call, callback) => {
        asked = call.request;
        callback(null, { sweep });
      },
    },
    ...[verb, '7', ...reason],
  );
  expect(exitCode).toBe(0);
  expect(stdout).toContain('sweep 7 (hostile ␛[2J) finished');
  expect(asked).toEqual({
    sweep: '7',
    action: `SWEEP_ACTION_${verb.toUpperCase()}`,
    reason: verb === 'resume' ? '' : 'why not',
    priority: 0,
  });
});

test('events --kind shows the events of the given kinds, with their agents and users', async () => {
  const events = [
    { seq: 1, kind: 'sweep paused', detail: 'why not', by: 'ann@desk' },
    { seq: 2, kind: 'lost', agentId: 'gpu-1', sweepId: '0', detail: 'nothing was received' },
    { seq: 3, kind: 'reported', trialId: good.id, attempt: 1, detail: 'epoch 1' },
    { seq: 4, kind: 'failed', trialId: good.id, detail: 'oom' },
  ].map((event) => Event.fromPartial({ sweepId: '7', atMs: START_MS, ...event }));
  const watch: SweepServiceServer['watch'] = (call) => {
    if (call.request.sinceEventSeq === 0) call.write(snapshot(sweep, [], [], { eventSeq: 4 }));
    else call.write(delta({ sweep, events, eventSeq: 4 }));
    call.end();
  };
  const shown = await trawl({ watch }, 'events', '--kind', 'lost', '--kind', 'sweep paused');
  expect(shown.exitCode, shown.stderr).toBe(0);
  expect(shown.stdout.trimEnd().split('\n')).toEqual([
    expect.stringMatching(/Z {14}sweep paused {2}why not \(by ann@desk\)$/),
    expect.stringMatching(/Z {2}gpu-1 {7}lost {7}nothing was received$/),
  ]);
  server?.stop();
  const unknown = await trawl({ watch }, 'events', '--kind', 'losst');
  expect(unknown.exitCode).toBe(2);
  expect(unknown.stderr).toContain('did you mean "lost"?');
});

test('kill SWEEP/TRIAL kills that trial only', async () => {
  const asked: unknown[] = [];
  const { stdout, exitCode } = await trawl(
    {
      getSweep: (_call, callback) => callback({ code: status.NOT_FOUND, details: 'there is no sweep "7/3f2a"' }),
      getTrial: (call, callback) => {
        asked.push(call.request);
        callback(null, {
          trial: { ...good, state: TrialState.RUNNING },
          attempts: [],
          artifacts: [],
          programs: [],
          rungs: [],
        });
      },
      killTrial: (call, callback) => {
        asked.push(call.request);
        callback(null, { trial: { ...good, state: TrialState.CANCELLED } });
      },
    },
    ...['kill', '7/3f2a', '--reason', 'why not'],
  );
  expect(exitCode).toBe(0);
  expect(stdout).toBe(`trial ${good.sweepId}/${good.id} cancelled\n`);
  expect(asked).toEqual([
    { sweep: '', trial: '7/3f2a' },
    { sweep: good.sweepId, trial: good.id, reason: 'why not' },
  ]);
});

test('trawl kill rejects a selector that matches both a sweep and a trial, or several trials', async () => {
  const both = await trawl(
    {
      getTrial: (_call, callback) =>
        callback(null, { trial: good, attempts: [], artifacts: [], programs: [], rungs: [] }),
    },
    ...['kill', 'a/b'],
  );
  expect(both.exitCode).toBe(2);
  expect(both.stderr).toContain(
    `a/b is ambiguous; choose one of 7 (the sweep of that name) and ${good.sweepId}/${good.id} (a trial)`,
  );
  server?.stop();
  const details = 'trial 3f is ambiguous; choose one of 7/3f2a, 7/3f2b';
  const several = await trawl(
    { getTrial: (_call, callback) => callback({ code: status.FAILED_PRECONDITION, details }) },
    ...['kill', '7/3f'],
  );
  expect(several.exitCode).toBe(2);
  expect(several.stderr).toContain(details);
});

test('trawl submit retries with the same request id when the coordinator stops before it answers', async () => {
  const file = join(dir, 'sweep.yaml');
  const text = 'name: x\ntrainer: noop\nparameters: {a: {values: [1, 2]}}\n';
  await writeFile(file, text);
  const asked: SubmitRequest[] = [];
  const { stdout, exitCode } = await trawl(
    {
      submit: (call, callback) => {
        asked.push(call.request);
        if (asked.length < 3) callback({ code: status.UNAVAILABLE, details: 'going down' });
        else callback(null, { sweep });
      },
    },
    ...['submit', '-q', file],
  );
  await rm(file);
  expect({ stdout, exitCode }).toEqual({ stdout: '7\n', exitCode: 0 });
  expect(asked.map((request) => request.text)).toEqual([text, text, text]);
  expect(new Set(asked.map((request) => request.requestId)).size).toBe(1);
});

test('trawl submit prints a notice if a sweep with the same content exists, whatever the file is named', async () => {
  const text = 'trainer: noop\nparameters: {a: {values: [1, 2]}}\n';
  const fingerprint = sweepFingerprint(parseSweep(text, 'other.yaml'));
  const submitted = async (content: string) => {
    const file = join(dir, 'sweep.yaml');
    await writeFile(file, content);
    const earlier = { ...sweep, fingerprint };
    const { stderr, exitCode } = await trawl(
      {
        listSweeps: (_call, callback) => callback(null, { sweeps: [{ ...earlier, id: '3' }, earlier] }),
        submit: (_call, callback) => callback(null, { sweep }),
      },
      ...['submit', file],
    );
    expect(exitCode).toBe(0);
    return stderr;
  };
  const notice =
    'sweep 7 (hostile ␛[2J, finished, 1 of 2 failed) has the same content; this submission runs all trials again';
  expect(await submitted(`# a comment\n${text}`)).toContain(notice);
  expect(await submitted(text.replace('2]', '3]'))).not.toContain('same content');
});

/** Runs `trawl show` for a trial with the given reports. The server sends one message per report. */
async function shown(reports: readonly Report[], ...format: string[]) {
  const listReports: SweepServiceServer['listReports'] = (call) => {
    for (const report of reports) call.write({ reports: [report] });
    call.end();
  };
  return trawl(
    {
      getSweep: (call, callback) =>
        call.request.sweep === sweep.id
          ? callback(null, { sweep, text: '' })
          : callback({ code: status.NOT_FOUND, details: 'no such sweep' }),
      getTrial: (_call, callback) =>
        callback(null, {
          trial: good,
          attempts: [
            {
              number: 1,
              agentId: 'agent-1',
              slot: 1,
              backend: 'wasm',
              grantedAtMs: START_MS,
              startedAtMs: START_MS + 200,
              queued: false,
              endedAtMs: START_MS + 1500,
              outcome: 'ATTEMPT_OUTCOME_SUCCEEDED',
              failure: undefined,
              resumedFrom: 0,
              speculative: false,
              hidden: false,
            },
            Attempt.fromPartial({ number: 2, agentId: 'agent-1', slot: 1, grantedAtMs: START_MS + 2000, queued: true }),
          ],
          artifacts: [],
          programs: [],
          rungs: [],
        }),
      listReports,
    },
    ...['show', 'a0', ...format],
  );
}

test('trawl show falls back to a trial if no sweep matches', async () => {
  const report = { attempt: 1, epoch: 1, atMs: START_MS, metrics: { test_loss: 0.25 } };
  const { stdout, exitCode } = await shown([report]);
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^trial +a000000000000000$/m);
  expect(stdout).toMatch(/^ +1 {2}succeeded {2}- +1\.3s {2}agent-1 +1 {2}wasm$/m);
  expect(stdout).toMatch(/^ +2 {2}queued {5}- +- {2}agent-1 +1 {2}-$/m);
  expect(stdout).toMatch(/^ +1 +1 +0\.25000$/m);
});

const epochs = (count: number, name = 'test_loss') =>
  Array.from({ length: count }, (_, at) => ({
    attempt: 1,
    epoch: at + 1,
    atMs: START_MS,
    metrics: { [name]: 1 / (at + 1) },
  }));

test('trawl show prints the last 1,000 reports of a trial, and prints all reports as JSON', async () => {
  const { stdout } = await shown(epochs(1_005));
  expect(stdout.match(/^ +1 +\d+ +0\.\d+$/gm)).toHaveLength(1_000);
  expect(stdout).toContain('5 earlier reports are not shown; print all with -o json');
  expect(stdout).toMatch(/^ +1 +1005 +/m);
  expect(stdout).not.toMatch(/^ +1 +5 +0\.2/m);
  server?.stop();
  const json = JSON.parse((await shown(epochs(1_005), '-o', 'json')).stdout);
  expect(json.reports.map(({ epoch }: { epoch: number }) => epoch)).toEqual(epochs(1_005).map(({ epoch }) => epoch));
  expect(json).toMatchObject({ trial: good.id, artifacts: [], programs: [], rungs: [] });
  expect(json.attempt_list).toMatchObject([
    { number: 1, outcome: 'succeeded', started_at: isoTime(START_MS + 200), seconds: 1.3 },
    { number: 2, outcome: 'queued', started_at: null, seconds: null },
  ]);
});

test('trawl show prints fewer reports if their metrics have long names', async () => {
  const { stdout } = await shown(epochs(50, 'm'.repeat(200_000)), '-o', 'wide');
  expect(stdout).toContain('30 earlier reports are not shown');
});

test('show -o json prints an empty list of reports for a trial that has none', async () => {
  expect(JSON.parse((await shown([], '-o', 'json')).stdout).reports).toEqual([]);
});

test('a followed log resumes after an outage without repeating text', async () => {
  let calls = 0;
  const { stdout, stderr, exitCode } = await trawl(
    {
      getTrial: (_call, callback) =>
        callback(null, { trial: good, attempts: [], artifacts: [], programs: [], rungs: [] }),
      readLog: (call) => {
        calls += 1;
        call.write({ text: 'one\n' });
        call.write({ text: 'two\n' });
        if (calls === 1) {
          setTimeout(() => call.emit('error', { code: status.UNAVAILABLE, details: 'going down' }), 50);
        } else {
          call.write({ text: 'three\n' });
          call.end();
        }
      },
    },
    ...['logs', 'a0', '-f'],
  );
  expect(exitCode).toBe(0);
  expect(stdout).toBe('one\ntwo\nthree\n');
  expect(stderr).toContain('lost the connection to the coordinator at 127.0.0.1:');
});

const withWarnings = sampleSweep({
  ...sweep,
  warnings: [
    { kind: 'WARNING_KIND_HOOK_NOT_LOADED', message: 'the hook \u001b[2J', count: 1, sinceMs: START_MS },
    { kind: 'WARNING_KIND_MISSING_METRIC', message: 'no trial has reported metric "val"', count: 2, sinceMs: START_MS },
  ],
});
const warned: Partial<SweepServiceServer> = {
  listSweeps: (_call, callback) => callback(null, { sweeps: [withWarnings] }),
  getSweep: (_call, callback) => callback(null, { sweep: withWarnings, text: '' }),
  watch: (call) => {
    call.write(snapshot(withWarnings));
    call.write(delta({ sweep: withWarnings }));
    call.end();
  },
};

test('trawl ls, trawl show and trawl wait print the warnings of a sweep', async () => {
  expect((await trawl(warned, 'ls')).stdout).toMatch(/^sweep .* failed {2}warnings .*\n.* 1 +2 {2}/);
  expect((await trawl({}, 'ls')).stdout).not.toContain('warnings');
  const shown = (await trawl(warned, 'show')).stdout;
  expect(shown).toMatch(/^warning +the hook ␛\[2J$/m);
  expect(shown).toMatch(/^warning +no trial has reported metric "val"$/m);
  const [json] = JSON.parse((await trawl(warned, 'ls', '-o', 'json')).stdout);
  expect(json.warnings[1]).toEqual({
    kind: 'missing_metric',
    message: 'no trial has reported metric "val"',
    count: 2,
    since: '2026-01-02T03:04:05.000Z',
  });
  const { stderr } = await trawl(warned, 'wait');
  expect(stderr).toBe(
    'trawl: warning: sweep 7: the hook ␛[2J\ntrawl: warning: sweep 7: no trial has reported metric "val"\n',
  );
});

test('without a terminal, trawl wait exits with code 1 when the sweep is paused, and prints how to resume it', async () => {
  const halted = sampleSweep({
    state: SweepState.PAUSED,
    reason: '3 trials failed',
    counts: { pending: 5, failed: 3 },
  });
  const { stdout, stderr, exitCode } = await trawl(
    {
      getSweep: (_call, callback) => callback(null, { sweep: halted, text: '' }),
      watch: (call) => {
        call.write(snapshot(halted));
      },
    },
    'wait',
  );
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(
    /^trawl: sweep 7 is paused \(3 trials failed\); resume it with: (?:npx )?trawl resume 7 --server \S+\n$/,
  );
  expect(stdout).toMatch(/^sweep 7 \(autoencoders\) paused: /);
});

test('trawl best requests only the trials in its table', async () => {
  const asked: ListTrialsRequest[] = [];
  const trials = Array.from({ length: 9 }, (_, index): Trial => ({ ...good, id: `${index}`, configId: `c${index}` }));
  await trawl(
    {
      listConfigs: (call) => {
        call.write({ configs: rankConfigs(configsOf(trials), 'test_loss', 'minimize').slice(0, call.request.limit) });
        call.end();
      },
      listTrials: (call) => {
        asked.push(call.request);
        call.end();
      },
    },
    ...['best', '--top', '2'],
  );
  expect(asked).toMatchObject([{ sweep: '7', trialIds: ['0', '1'] }]);
});

test('trawl best and trawl trials show the step of the ranking metric if this step is not the last, and always with -o wide', async () => {
  const early: Trial = { ...good, epoch: 2.5, metricSteps: { test_loss: 1 / 3 } };
  const at: Partial<SweepServiceServer> = {
    getSweep: (_call, callback) =>
      callback(null, {
        sweep: sampleSweep({ metric: { name: 'test_loss', goal: 'GOAL_MINIMIZE', at: 'METRIC_AT_BEST' } }),
        text: '',
      }),
    listTrials: (call) => {
      call.write({ trials: [early] });
      call.end();
    },
    listConfigs: (call) => {
      call.write({ configs: rankConfigs(configsOf([early]), 'test_loss', 'minimize') });
      call.end();
    },
  };
  for (const args of [['trials'], ['best', '--trials']]) {
    expect((await trawl(at, ...args)).stdout).toMatch(/test_loss +step +epoch .*\n.* 0\.10000 +0\.33333 +2\.5 /);
  }
  const best = (await trawl(at, 'best')).stdout;
  expect(best).toMatch(/^minimize test_loss, best over the steps\n/);
  expect(best).toMatch(/test_loss +step +n .*\n.* 0\.10000 +0\.33333 +1 /);
  expect(JSON.parse((await trawl(at, 'best', '-o', 'json')).stdout)[0].steps).toEqual([1 / 3]);
  expect((await trawl({}, 'trials')).stdout).not.toContain('step');
  expect((await trawl({}, 'trials', '-o', 'wide')).stdout).toMatch(/test_loss +step +epoch/);
});
