import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('training-step.cjs', import.meta.url));
/** For loading a gigabyte of libraries from a cold disk and waking up the GPUs. */
const LIMIT_MS = 5 * 60_000;

/**
 * @typedef {object} Proof
 * @property {string} backend
 * @property {string} tensorflow version
 * @property {boolean} usesGpu
 * @property {number} before loss of a small net, untrained
 * @property {number} after
 */

/**
 * Trains a small net with the package, in a process of its own.
 * @param {string} packageFolder
 * @returns {Promise<Proof>}
 * @throws {Error} with what the process printed, when it does not load or does not learn
 */
export async function prove(packageFolder) {
  const { code, stdout, stderr } = await run(packageFolder);
  if (code !== 0) throw new Error(`${packageFolder} does not load:\n${stderr.trim()}`);
  const proof = JSON.parse(stdout);
  const problem = proofProblem(proof);
  if (problem !== null) throw new Error(`${packageFolder} ${problem}`);
  return proof;
}

/**
 * What is wrong with a proof, or null.
 * @param {Proof} proof
 * @returns {string | null}
 */
export function proofProblem({ backend, before, after }) {
  if (backend !== 'tensorflow') return `computes with the backend ${backend}, not with libtensorflow`;
  if (!(after < before / 2)) return `does not learn: the loss went from ${before} to ${after} in 50 steps`;
  return null;
}

function run(packageFolder) {
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '1', TF_FORCE_GPU_ALLOW_GROWTH: 'true' };
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [SCRIPT, packageFolder], { env, timeout: LIMIT_MS });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code: code ?? signal, stdout, stderr }));
  });
}
