import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('training-step.cjs', import.meta.url));
/** The time limit of the test: long enough to load a gigabyte of libraries from a disk and to initialize the GPUs. */
const LIMIT_MS = 5 * 60_000;

/**
 * The result of a test training of a small network.
 * @typedef {object} Proof
 * @property {string} backend
 * @property {string} tensorflow version
 * @property {boolean} usesGpu
 * @property {number} before loss before training
 * @property {number} after loss after training
 */

/**
 * Trains a small network with the package, in a separate process.
 * @param {string} packageFolder
 * @returns {Promise<Proof>}
 * @throws {Error} if the package does not load (the message contains the output of the process) or does not learn
 */
export async function prove(packageFolder) {
  const { code, stdout, stderr } = await run(packageFolder);
  if (code !== 0) throw new Error(`could not load ${packageFolder}:\n${stderr.trim()}`);
  /** @type {Proof} */
  const proof = JSON.parse(stdout);
  const problem = proofProblem(proof);
  if (problem !== null) throw new Error(`${packageFolder} ${problem}`);
  return proof;
}

/**
 * Returns the reason why a test training is not accepted, or null.
 * @param {Proof} proof
 * @returns {string | null}
 */
export function proofProblem({ backend, before, after }) {
  if (backend !== 'tensorflow') return `uses the backend ${backend} instead of libtensorflow`;
  if (!(after < before / 2)) return `does not learn: the loss went from ${before} to ${after} in 50 steps`;
  return null;
}

/**
 * @param {string} packageFolder
 * @returns {Promise<{code: number | string | null, stdout: string, stderr: string}>}
 */
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
