/** Sends invalid and outdated messages on NATS. */
import { headers, type MsgHdrs, type NatsConnection } from 'nats';
import type { TestRandom } from '../support/random.ts';
import { DAMAGES } from './damage.ts';
import { encode } from './encode.ts';
import type { RecordedMessage } from './record-messages.ts';
import { messageType } from './schema.ts';
import { subjectOf } from './subjects.ts';
import { extreme, noise, plausible } from './values.ts';

export interface Names {
  readonly cluster: string;
  readonly agentId: string;
  readonly sweeps: readonly string[];
  readonly trials: readonly string[];
}

/** JetStream's status codes for pulls: heartbeat, no messages, timeout, conflict, and a code that does not exist. */
const STATUSES = [100, 404, 408, 409, 999];
const HEADER_ROOM = 32;

/**
 * Sends a message once or twice.
 * @param about a subject pattern for a new message; or a recorded message, which is sent again, unchanged or damaged
 * @returns the sent messages
 */
export function publishFuzzed(
  nats: NatsConnection,
  about: string | RecordedMessage,
  names: Names,
  random: TestRandom,
): RecordedMessage[] {
  const largest = nats.info?.max_payload ?? 0;
  const message = typeof about === 'string' ? newMessage(about, names, random, largest) : repeated(about, random);
  const { subject, reply } = message;
  const data = message.data.subarray(0, largest - HEADER_ROOM);
  const more = { ...(reply === undefined ? {} : { reply }), ...status(random) };
  const times = random.pick([1, 1, 2]);
  for (let time = 0; time < times; time++) nats.publish(subject, data, more);
  return Array.from({ length: times }, () => ({ subject, data, reply }));
}

function status(random: TestRandom): { headers?: MsgHdrs } {
  return random.next() < 0.1 ? { headers: headers(random.pick(STATUSES), 'x') } : {};
}

function newMessage(pattern: string, names: Names, random: TestRandom, largest: number): RecordedMessage {
  const known = [names.cluster, names.agentId, ...names.sweeps, ...names.trials, '1'];
  const subject = subjectOf(pattern, [names.cluster, names.agentId], known, random);
  const type = messageType(pattern.includes('heartbeat') ? 'Heartbeat' : 'Offer');
  const samples = {
    agentId: [names.agentId, names.agentId, 'nobody'],
    incarnation: ['x'],
    sweepId: names.sweeps,
    trialId: names.trials,
    attempt: [1, 2],
    leaving: [0],
  };
  const choice = random.next();
  if (choice < 0.2) return { subject, data: noise(random, 60), reply: undefined };
  if (choice < 0.21) return { subject, data: new Uint8Array(largest), reply: undefined };
  const data = encode(type, (choice < 0.6 ? extreme : plausible)(random, samples), random);
  return { subject, data: choice < 0.8 ? data : random.pick(DAMAGES)(data, random), reply: undefined };
}

function repeated({ subject, data, reply }: RecordedMessage, random: TestRandom): RecordedMessage {
  return { subject, data: random.next() < 0.5 ? data : random.pick(DAMAGES)(data, random), reply };
}
