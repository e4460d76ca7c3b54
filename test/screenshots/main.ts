/**
 * Takes the screenshots of the dashboard for docs/dashboard.md from a real run: a sweep of small autoencoders and a
 * sweep of a user's program, on their own coordinator and agent.
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
import { endedTotal } from '../../lib/domain/trial-state.ts';
import { PseudoTerminal } from '../support/pseudo-terminal.ts';
import { indexedPng } from './indexed-png.ts';
import { svgOf } from './svg.ts';

/**
 * The sizes of the terminal, and the zoom of the screenshots. The zoom of a wide terminal is smaller, because its
 * screenshot does not fit on a page at full size.
 */
const SIZES = [
  { columns: 80, rows: 24, zoom: 1 },
  { columns: 120, rows: 40, zoom: 0.8 },
  { columns: 200, rows: 60, zoom: 0.6 },
];
const PATIENCE_MS = 900_000;

const PROGRAM = `
const {rate, momentum} = JSON.parse(process.argv[2]);
let [x, y, u, v] = [3, 2, 0, 0];
console.error('from', x, y, 'with rate', rate, 'and momentum', momentum);
for (let epoch = 1; epoch <= 20; epoch++) {
  [u, v] = [momentum * u - rate * x, momentum * v - rate * 4 * y];
  [x, y] = [x + u, y + v];
  console.error('epoch', epoch, 'at', x.toFixed(4), y.toFixed(4));
  const loss = (x * x + 4 * y * y) / 2;
  if (loss > 100) throw new Error('the loss diverges');
  console.log(JSON.stringify({loss}));
  await new Promise((resolve) => setTimeout(resolve, 20));
}
`;

const SWEEPS = {
  descent: `name: descent
command: [node, descent.mjs, "\${args_json}"]
metric: {name: loss, goal: minimize}
early_terminate: {type: asha, min_iter: 2, eta: 2}
retry: {crash: 0}
parameters:
  rate: {values: [0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.9]}
  momentum: {values: [0, 0.5, 0.9]}
`,
  autoencoders: `name: autoencoders
trainer: autoencoder
parameters:
  latent_dim: {values: [8, 32, 64]}
  noise_std: {values: [0, 0.5]}
  train_size: {value: 400}
  epochs: {value: 4}
reconstruct_every: 2
replicates: 2
`,
};
/** For each sweep, how many trials must have ended before the screenshots are taken. */
const ENOUGH = { descent: 21, autoencoders: 9 };

const PICTURES: readonly (readonly [keys: readonly string[], name: string])[] = [
  [['j'], 'sweep'],
  [['g', '\u001b[C'], 'replicates'],
  [['\u001b[D', 'd'], 'trial'],
  [['q', 'g', ' ', ' ', 'c'], 'compare'],
  [['q', '2'], 'parameters'],
  [['3'], 'agents'],
  [['4'], 'events'],
  [['5', 'j'], 'sweeps'],
  [['\r', '6'], 'errors'],
  [['7'], 'rungs'],
  [['1', 'l'], 'log'],
  [['q', '?'], 'help'],
];

async function until(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await look())) {
    if (Date.now() > deadline) throw new Error(`not within ${PATIENCE_MS / 1000} s: ${what}`);
    await sleep(250);
  }
}

/** Takes the screenshots of every view at one size. */
async function take(address: string, folder: string, { columns, rows, zoom }: (typeof SIZES)[number]): Promise<void> {
  const env = { ...process.env, LANG: 'C.UTF-8', NO_COLOR: '' };
  const screen = new PseudoTerminal(['top', '--server', address], { columns, rows, env });
  try {
    await until('the leaderboard is shown', () => screen.lines().join('\n').includes('test_loss'));
    for (const [keys, name] of PICTURES) {
      for (const key of keys) {
        screen.press(key);
        await sleep(300);
      }
      await sleep(2_500);
      const svg = svgOf(screen.buffer, columns, rows);
      const image = new Resvg(svg, { fitTo: { mode: 'zoom', value: zoom } }).render();
      const png = indexedPng(image.pixels, image.width, image.height);
      const file = `top-${name}-${columns}x${rows}.png`;
      writeFileSync(join(folder, file), png);
      console.log(`docs/dashboard/${file}`);
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
      await until(`${enough} trials of ${name} have ended`, async () => {
        return endedTotal((await getSweep(connection, id)).sweep) >= enough;
      });
    }
    for (const size of SIZES) await take(cluster.address, join(packageRoot(), 'docs', 'dashboard'), size);
  });
} finally {
  await cluster.stop();
  rmSync(dir, { recursive: true, force: true });
}
