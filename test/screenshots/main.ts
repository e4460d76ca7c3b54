/**
 * Takes the pictures of the dashboard for docs/dashboard.md from a real run: a sweep of small autoencoders and a sweep
 * of a user's program, on their own coordinator and agent.
 *
 *   npm run screenshots
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Resvg } from '@resvg/resvg-js';
import { withConnection } from '../../bin/client/connect.ts';
import { getSweep } from '../../bin/client/sweeps.ts';
import { startLocalCluster } from '../../bin/local/local-cluster.ts';
import { resumeOrSubmit } from '../../bin/local/resume-or-submit.ts';
import { loadSweepFile } from '../../bin/options/sweep-file.ts';
import { packageRoot } from '../../bin/package.ts';
import { PseudoTerminal } from '../support/pseudo-terminal.ts';
import { svgOf } from './svg.ts';

const SIZE = { columns: 144, rows: 38 };
const PATIENCE_MS = 300_000;

const PROGRAM = `
const {rate, momentum} = JSON.parse(process.argv[2]);
let [x, y, u, v] = [3, 2, 0, 0];
console.error('from', x, y, 'with rate', rate, 'and momentum', momentum);
for (let epoch = 1; epoch <= 20; epoch++) {
  [u, v] = [momentum * u - rate * x, momentum * v - rate * 4 * y];
  [x, y] = [x + u, y + v];
  console.error('epoch', epoch, 'at', x.toFixed(4), y.toFixed(4));
  console.log(JSON.stringify({loss: (x * x + 4 * y * y) / 2}));
}
`;

const SWEEPS = {
  descent: `name: descent
command: [node, descent.mjs, "\${args_json}"]
metric: {name: loss, goal: minimize}
parameters:
  rate: {values: [0.02, 0.1, 0.4]}
  momentum: {values: [0, 0.5]}
`,
  autoencoders: `name: autoencoders
trainer: autoencoder
parameters:
  latent_dim: {values: [4, 8, 16, 32, 64]}
  noise_std: {values: [0, 0.5]}
  lambda_l1: {values: [0, 1.0e-4]}
  train_size: {value: 1500}
  epochs: {value: 6}
reconstruct_every: 2
replicates: 2
`,
};
/** The number of trials of each sweep that must succeed before the pictures are taken. */
const ENOUGH = { descent: 6, autoencoders: 26 };

const PICTURES: readonly (readonly [keys: readonly string[], name: string])[] = [
  [['j'], 'sweep'],
  [['g', '\u001b[C'], 'replicates'],
  [['\u001b[D', 'd'], 'trial'],
  [['q', 'g', ' ', ' ', 'c'], 'compare'],
  [['q', '2'], 'parameters'],
  [['3'], 'agents'],
  [['4'], 'events'],
  [['5'], 'sweeps'],
  [['j', '\r', 'l'], 'log'],
  [['q', '?'], 'help'],
];

async function until(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await look())) {
    if (Date.now() > deadline) throw new Error(`not within ${PATIENCE_MS / 1000} s: ${what}`);
    await sleep(250);
  }
}

async function take(address: string, folder: string): Promise<void> {
  const env = { ...process.env, LANG: 'C.UTF-8', NO_COLOR: '' };
  const screen = new PseudoTerminal(['top', '--server', address], { ...SIZE, env });
  try {
    await until('the leaderboard is shown', () => screen.lines().join('\n').includes('latent_dim'));
    for (const [keys, name] of PICTURES) {
      for (const key of keys) {
        screen.press(key);
        await sleep(300);
      }
      await sleep(2_500);
      const png = new Resvg(svgOf(screen.buffer, SIZE.columns, SIZE.rows)).render().asPng();
      writeFileSync(join(folder, `top-${name}.png`), png);
      console.log(`docs/top-${name}.png`);
    }
  } finally {
    screen.kill('SIGTERM');
    await screen.exited;
  }
}

const dir = mkdtempSync(join(tmpdir(), 'trawl-screenshots-'));
writeFileSync(join(dir, 'descent.mjs'), PROGRAM);
const report = (line: string) => console.log(line);
const cluster = await startLocalCluster({
  dir,
  natsUrl: undefined,
  slots: { slots: 2, label: {} },
  dataDir: undefined,
  workdir: dir,
  requireGpu: false,
  pack: 1,
  logLevel: 'info',
  requireToken: true,
  report,
});
try {
  await withConnection({ server: cluster.address }, async (connection) => {
    for (const name of ['descent', 'autoencoders'] as const) {
      const file = join(dir, `${name}.yaml`);
      writeFileSync(file, SWEEPS[name]);
      const { id } = await resumeOrSubmit(connection, await loadSweepFile(file), undefined, report, dir);
      const enough = ENOUGH[name];
      await until(`${enough} trials of ${name} have succeeded`, async () => {
        return ((await getSweep(connection, id)).sweep.counts?.succeeded ?? 0) >= enough;
      });
    }
    await take(cluster.address, join(packageRoot(), 'docs'));
  });
} finally {
  await cluster.stop();
  rmSync(dir, { recursive: true, force: true });
}
