/** Kinds of invalid calls, and valid calls that are repeated too often. */
import { gzipSync } from 'node:zlib';
import { MAX_MESSAGE_BYTES } from '../../coordinator/transport/limits.ts';
import type { Random } from '../support/random.ts';
import { DAMAGES } from './damage.ts';
import { encode } from './encode.ts';
import { framed, type RawCall } from './raw-call.ts';
import type { WireMethod } from './schema.ts';
import { extreme, noise, plausible, type Words } from './values.ts';

export type Way = (method: WireMethod, words: Words, random: Random) => Omit<RawCall, 'path'>;

/** A field that claims to be longer than the message, which no method can read. */
export const CUT_SHORT = framed(Uint8Array.of(0x0a, 0x7f));
export const TOO_LARGE = framed(new Uint8Array(MAX_MESSAGE_BYTES + 1));

const sane: (...from: Parameters<Way>) => Uint8Array = ({ request }, words, random) =>
  encode(request, plausible(random, words), random);

function call(odd: readonly Uint8Array[], ...[method, words, random]: Parameters<Way>): Omit<RawCall, 'path'> {
  const begun = method.streams && random.next() < 0.7;
  const first = begun ? [framed(encode(method.request, plausible(random, words), random, true))] : [];
  return { pieces: [...first, ...odd], ending: method.streams && random.next() < 0.3 ? 'silence' : 'end' };
}

const GZIP = { 'grpc-encoding': 'gzip' };
const FRAMES: readonly ((random: Random) => Omit<RawCall, 'path'>)[] = [
  (random) => ({ pieces: [noise(random, 30)] }),
  (random) => ({ pieces: [framed(noise(random, 30), 0, 0xffffffff)] }),
  (random) => ({ pieces: [framed(noise(random, 30), 0, 31)] }),
  (random) => ({ pieces: [framed(noise(random, 30), 1)] }),
  (random) => ({ pieces: [framed(noise(random, 30), Math.floor(random.between(2, 256)))] }),
  (random) => ({ pieces: [framed(noise(random, 30), 1)], headers: GZIP }),
  () => ({ pieces: [framed(gzipSync(new Uint8Array(MAX_MESSAGE_BYTES + 1)), 1)], headers: GZIP }),
  () => ({ pieces: [framed(gzipSync('cut short').subarray(0, 15), 1)], headers: GZIP }),
  (random) => ({ pieces: [framed(noise(random, 30), 1)], headers: { 'grpc-encoding': 'br' } }),
  (random) => ({
    pieces: [framed(noise(random, 30))],
    headers: { 'grpc-timeout': random.pick(['x', '-1S', '1n', '99999999H']) },
  }),
];

export const WAYS: Readonly<Record<string, Way>> = {
  'random bytes': (...from) => call([framed(noise(from[2], 60))], ...from),
  damaged: (...from) => call([framed(from[2].pick(DAMAGES)(sane(...from), from[2]))], ...from),
  extreme: (...from) => call([framed(encode(from[0].request, extreme(from[2], from[1]), from[2]))], ...from),
  'the same again': (...from) => {
    const message = framed(sane(...from));
    return call([message, message], ...from);
  },
  'the same in another call': (...from) => call([framed(sane(...from))], ...from),
  'in a wrong frame': (_method, _words, random) => random.pick(FRAMES)(random),
  'no message': () => ({ pieces: [] }),
  silence: () => ({ pieces: [], ending: 'silence' }),
  'reset midway': (...from) => {
    const whole = Buffer.concat(call([framed(sane(...from))], ...from).pieces);
    return { pieces: [whole.subarray(0, Math.floor(from[2].next() * whole.length))], ending: 'reset' };
  },
};
