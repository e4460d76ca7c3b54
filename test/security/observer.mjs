/**
 * Calls ListSweeps every 100 ms from a thread of its own, so that the work of an attack in the test's own thread does not
 * delay the clock. The message `begin` forgets the earlier calls. After the message `finish`, the thread returns the
 * answers once at least `minAnswers` calls are answered and none is pending.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Client, credentials } from '@grpc/grpc-js';

const INTERVAL_MS = 100;
const PATH = '/trawl.v1.SweepService/ListSweeps';

/** @type {{ address: string, deadlineMs: number, minAnswers: number }} */
const { address, deadlineMs, minAnswers } = workerData;
const client = new Client(address, credentials.createInsecure());
const same = (/** @type {Buffer} */ message) => message;
let begunAt = 0;
let pending = 0;
let isFinishing = false;
/** @type {{ times: number[], errors: string[] }} */
let answers = { times: [], errors: [] };

const calls = setInterval(() => {
  const calledAt = performance.now();
  pending += 1;
  client.makeUnaryRequest(PATH, same, same, Buffer.alloc(0), { deadline: Date.now() + deadlineMs }, (error) => {
    pending -= 1;
    if (calledAt >= begunAt) {
      if (error === null) answers.times.push(performance.now() - calledAt);
      else answers.errors.push(error.message);
    }
    finish();
  });
}, INTERVAL_MS);

function finish() {
  if (!isFinishing || answers.times.length + answers.errors.length < minAnswers) return;
  clearInterval(calls);
  if (pending === 0) parentPort?.postMessage(answers);
}

parentPort?.on('message', (message) => {
  if (message === 'begin') {
    begunAt = performance.now();
    answers = { times: [], errors: [] };
  } else {
    isFinishing = true;
    finish();
  }
});
