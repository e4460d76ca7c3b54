/**
 * Calls ListSweeps every 100 ms from a separate thread, so that the work of an attack in the test's own thread does not
 * delay these calls. For each answer, the thread measures the wall time of the call and the CPU time that the
 * coordinator used during the call. The message `begin` discards the earlier answers. After the message `finish`, the
 * thread returns the answers once at least `minAnswers` calls have ended and no call is pending.
 */
import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { Client, credentials } from '@grpc/grpc-js';

const INTERVAL_MS = 100;
const PATH = '/trawl.v1.SweepService/ListSweeps';

/** On x86 and ARM, Linux reports CPU time in hundredths of a second. */
const MS_PER_TICK = 10;

/** @type {{ address: string, pid: number, deadlineMs: number, minAnswers: number }} */
const { address, pid, deadlineMs, minAnswers } = workerData;
const client = new Client(address, credentials.createInsecure());
const same = (/** @type {Buffer} */ message) => message;
let begunAt = 0;
let pending = 0;
let isFinishing = false;
/** @type {{ answers: { ms: number, cpuMs: number }[], errors: string[] }} */
let results = { answers: [], errors: [] };

/** Returns the CPU time that the coordinator has used since its start, in milliseconds. */
function coordinatorCpuMs() {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name of the program, in parentheses, can contain spaces. User and system time are the 12th and 13th fields
  // after the name.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

const calls = setInterval(() => {
  const calledAt = performance.now();
  const cpuAtCall = coordinatorCpuMs();
  pending += 1;
  client.makeUnaryRequest(PATH, same, same, Buffer.alloc(0), { deadline: Date.now() + deadlineMs }, (error) => {
    pending -= 1;
    if (calledAt >= begunAt) {
      if (error === null) {
        results.answers.push({ ms: performance.now() - calledAt, cpuMs: coordinatorCpuMs() - cpuAtCall });
      } else results.errors.push(error.message);
    }
    finish();
  });
}, INTERVAL_MS);

function finish() {
  if (!isFinishing || results.answers.length + results.errors.length < minAnswers) return;
  clearInterval(calls);
  if (pending === 0) parentPort?.postMessage(results);
}

parentPort?.on('message', (message) => {
  if (message === 'begin') {
    begunAt = performance.now();
    results = { answers: [], errors: [] };
  } else {
    isFinishing = true;
    finish();
  }
});
