/**
 * The program that runs trials under trawl, with the processes of `trawl up`: nats-server, a coordinator and one agent.
 * The sweep uses a built-in trainer or, with the variant `command`, one process per trial. The settings are in the
 * first argument.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Connection, withConnection } from '../../bin/client/connect.ts';
import { listTrials, submitSweep } from '../../bin/client/sweeps.ts';
import { watchSweep } from '../../bin/client/watch.ts';
import { startLocalCluster } from '../../bin/local/local-cluster.ts';
import { loadSweepFile } from '../../bin/options/sweep-file.ts';
import { fromWire } from '../../lib/domain/parameters.ts';
import { trialState } from '../../proto/names.ts';
import type { ProgramMessage, ProgramSettings } from './peer.ts';
import { AUTOENCODER } from './program.ts';

const SLEEP_MS = 100;
/**
 * The duration of a warm-up trial. The warm-up has one trial per slot, so it starts all worker processes that the agent
 * uses for this kind of trial.
 */
const WARM_UP_MS = 200;
/** trawl replaces this text with the point of the trial. */
const POINT_MACRO = `\${param:point}`;
/** Trials of a command report the ranking metric, because a sweep without it would be paused after five trials. */
const REPORT = '{"epoch": 1, "test_loss": 1}';
const METRIC = { name: 'test_loss', goal: 'minimize' };
const PATIENCE_MS = 60_000;

const settings = JSON.parse(process.argv[2] ?? '') as ProgramSettings;
const { slots, folder, trials } = settings;

function send(message: ProgramMessage): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** The learning rate of a point is the same as in autoencoder.py. */
const learningRate = (point: number) => (1000 + point) / 1e6;

function sweepFile({ work, log, variant, images, python }: ProgramSettings): object {
  const point = { min: 1, max: trials };
  if (log !== null) {
    const script = `sleep ${SLEEP_MS / 1000}; echo "$1" >> '${log}'; echo '${REPORT}'`;
    return { command: ['sh', '-c', script, 'trial', POINT_MACRO], metric: METRIC, parameters: { point } };
  }
  if (variant === 'command') {
    const commands = {
      noop: ['echo', REPORT],
      sleep: ['sh', '-c', `echo '${REPORT}'; exec sleep ${SLEEP_MS / 1000}`],
      train: [python, AUTOENCODER, POINT_MACRO, images],
    };
    return { command: commands[work], metric: METRIC, parameters: { point } };
  }
  if (work !== 'train') {
    return { trainer: 'noop', parameters: { point, duration_ms: { value: work === 'sleep' ? SLEEP_MS : 0 } } };
  }
  const fixed = { lambda_l1: 1e-5, weight_decay: 1e-5, epochs: 1, train_size: 2_000, test_size: 500 };
  return {
    trainer: 'autoencoder',
    metric: METRIC,
    parameters: {
      learning_rate: { values: Array.from({ length: trials }, (_, at) => learningRate(at + 1)) },
      ...Object.fromEntries(Object.entries(fixed).map(([name, value]) => [name, { value }])),
    },
  };
}

function warmUpFile(runsPrograms: boolean): object {
  const point = { min: 1, max: slots };
  if (!runsPrograms) return { trainer: 'noop', parameters: { point, duration_ms: { value: WARM_UP_MS } } };
  const script = `echo '${REPORT}'; exec sleep ${WARM_UP_MS / 1000}`;
  return { command: ['sh', '-c', script], metric: METRIC, parameters: { point } };
}

/** Submits a sweep, and waits until it ends. Returns its id. */
async function runSweep(connection: Connection, name: string, sweep: object): Promise<string> {
  const file = join(folder, `${name}.yaml`);
  // JSON is also YAML.
  writeFileSync(file, JSON.stringify({ name, ...sweep }));
  const { id } = await submitSweep(connection, await loadSweepFile(file), undefined);
  for await (const { update } of watchSweep(connection, id, { patienceMs: PATIENCE_MS })) {
    const { sweep: state } = (update?.$case === 'snapshot' ? update.snapshot : update?.delta) ?? {};
    if (name === 'peers' && state?.counts !== undefined) send({ finished: state.counts.succeeded });
  }
  return id;
}

const input = createInterface({ input: process.stdin });
const cluster = await startLocalCluster({
  dir: join(folder, 'trawl'),
  natsUrl: undefined,
  slots: { slots, label: {} },
  dataDir: undefined,
  workdir: folder,
  requireGpu: false,
  pack: 1,
  logLevel: 'warn',
  requireToken: true,
  report: (line) => console.error(line),
});
try {
  await withConnection({ server: cluster.address, tokenFile: cluster.tokenFile }, async (connection) => {
    await runSweep(connection, 'warm-up', warmUpFile('command' in sweepFile(settings)));
    send({ ready: true });
    await input[Symbol.asyncIterator]().next();
    const id = await runSweep(connection, 'peers', sweepFile(settings));
    send({ end: true });
    const points = (await listTrials(connection, { sweep: id }))
      .filter(({ state }) => trialState.of(state) === 'succeeded')
      .map(({ parameters }) => {
        const { point, learning_rate: rate } = fromWire(parameters);
        return Number(point ?? Math.round(Number(rate) * 1e6 - 1000));
      });
    send({ points });
  });
} finally {
  input.close();
  await cluster.stop();
}
