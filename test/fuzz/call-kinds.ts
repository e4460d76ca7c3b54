/** Kinds of invalid calls and of repeated valid calls. */
import { gzipSync } from 'node:zlib';
import { MAX_MESSAGE_BYTES } from '../../coordinator/transport/limits.ts';
import type { TestRandom } from '../support/random.ts';
import { DAMAGES } from './damage.ts';
import { encode } from './encode.ts';
import { grpcFrame, type RawCall } from './raw-call.ts';
import type { WireMethod } from './schema.ts';
import { extreme, noise, plausible, type SampleValues } from './values.ts';

export type CallKind = (method: WireMethod, samples: SampleValues, random: TestRandom) => Omit<RawCall, 'path'>;

/** A message that ends before the declared length of its field, so that no method can parse the message. */
export const TRUNCATED = grpcFrame(Uint8Array.of(0x0a, 0x7f));
export const TOO_LARGE = grpcFrame(new Uint8Array(MAX_MESSAGE_BYTES + 1));

const validRequest: (...from: Parameters<CallKind>) => Uint8Array = ({ request }, samples, random) =>
  encode(request, plausible(random, samples), random);

function call(
  invalid: readonly Uint8Array[],
  ...[method, samples, random]: Parameters<CallKind>
): Omit<RawCall, 'path'> {
  const hasFirst = method.clientStreams && random.next() < 0.7;
  const first = hasFirst ? [grpcFrame(encode(method.request, plausible(random, samples), random, true))] : [];
  return { pieces: [...first, ...invalid], ending: method.clientStreams && random.next() < 0.3 ? 'silence' : 'end' };
}

const GZIP = { 'grpc-encoding': 'gzip' };
const FRAMES: readonly ((random: TestRandom) => Omit<RawCall, 'path'>)[] = [
  (random) => ({ pieces: [noise(random, 30)] }),
  (random) => ({ pieces: [grpcFrame(noise(random, 30), 0, 0xffffffff)] }),
  (random) => ({ pieces: [grpcFrame(noise(random, 30), 0, 31)] }),
  (random) => ({ pieces: [grpcFrame(noise(random, 30), 1)] }),
  (random) => ({ pieces: [grpcFrame(noise(random, 30), Math.floor(random.between(2, 256)))] }),
  (random) => ({ pieces: [grpcFrame(noise(random, 30), 1)], headers: GZIP }),
  () => ({ pieces: [grpcFrame(gzipSync(new Uint8Array(MAX_MESSAGE_BYTES + 1)), 1)], headers: GZIP }),
  () => ({ pieces: [grpcFrame(gzipSync('cut short').subarray(0, 15), 1)], headers: GZIP }),
  (random) => ({ pieces: [grpcFrame(noise(random, 30), 1)], headers: { 'grpc-encoding': 'br' } }),
  (random) => ({
    pieces: [grpcFrame(noise(random, 30))],
    headers: { 'grpc-timeout': random.pick(['x', '-1S', '1n', '99999999H']) },
  }),
];

export const CALL_KINDS: Readonly<Record<string, CallKind>> = {
  'random bytes': (...from) => call([grpcFrame(noise(from[2], 60))], ...from),
  damaged: (...from) => call([grpcFrame(from[2].pick(DAMAGES)(validRequest(...from), from[2]))], ...from),
  extreme: (...from) => call([grpcFrame(encode(from[0].request, extreme(from[2], from[1]), from[2]))], ...from),
  'the same message twice': (...from) => {
    const message = grpcFrame(validRequest(...from));
    return call([message, message], ...from);
  },
  'the same in another call': (...from) => call([grpcFrame(validRequest(...from))], ...from),
  'an invalid frame': (_method, _words, random) => random.pick(FRAMES)(random),
  'no message': () => ({ pieces: [] }),
  silence: () => ({ pieces: [], ending: 'silence' }),
  'reset midway': (...from) => {
    const whole = Buffer.concat(call([grpcFrame(validRequest(...from))], ...from).pieces);
    return { pieces: [whole.subarray(0, Math.floor(from[2].next() * whole.length))], ending: 'reset' };
  },
};
