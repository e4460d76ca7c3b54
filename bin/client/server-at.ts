/** Detects the kind of server at an address, for the error message about a failed connection. */
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { parseAddress } from '../../lib/net/address.ts';

/**
 * `plain`: HTTP/2 without TLS, as on a coordinator that listens on the loopback interface. `closing`: closes each
 * connection without an answer. `silent`: sends nothing.
 */
export type ServerKind = 'plain' | 'tls' | 'http' | 'nats' | 'ssh' | 'closing' | 'silent' | 'other';

/** A request is sent if the server has sent no data within GREETING_MS. The server then has ANSWER_MS to answer. */
const GREETING_MS = 300;
const ANSWER_MS = 700;

/** Returns the kind of the server, within two seconds. Undefined if nothing accepts a connection. */
export async function serverAt(address: string): Promise<ServerKind | undefined> {
  const { host, port } = parseAddress(address, 'the coordinator');
  const target = { host: host.replace(/^\[|\]$/g, ''), port };
  const kind = kindOf(await firstAnswer(target));
  // A TLS server closes the connection of a client that does not speak TLS, often without an answer.
  if (kind === 'silent' || kind === 'closing' || kind === 'other') return (await hasTls(target)) ? 'tls' : kind;
  return kind;
}

interface Target {
  readonly host: string;
  readonly port: number;
}

interface FirstAnswer {
  readonly connected: boolean;
  /** Whether the server closed the connection. */
  readonly closed: boolean;
  readonly bytes: Buffer;
}

/** Returns the bytes that the server sends first, or else its answer to an HTTP request. */
function firstAnswer(target: Target): Promise<FirstAnswer> {
  return new Promise((resolve) => {
    let connected = false;
    let closed = true;
    let bytes: Buffer = Buffer.alloc(0);
    const socket = connect(target);
    const leave = () => {
      closed = false;
      socket.destroy();
    };
    const ask = setTimeout(() => socket.write(REQUEST), GREETING_MS);
    const limit = setTimeout(leave, GREETING_MS + ANSWER_MS);
    socket.once('connect', () => {
      connected = true;
    });
    socket.once('data', (data: Buffer) => {
      bytes = data;
      leave();
    });
    socket.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(ask);
      clearTimeout(limit);
      resolve({ connected, closed, bytes });
    });
  });
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
const TLS_ALERT = 0x15;
const HTTP2_SETTINGS = 4;

function kindOf({ connected, closed, bytes }: FirstAnswer): ServerKind | undefined {
  if (!connected) return undefined;
  if (bytes.length === 0) return closed ? 'closing' : 'silent';
  const text = bytes.toString('latin1');
  if (text.startsWith('INFO {')) return 'nats';
  if (text.startsWith('SSH-')) return 'ssh';
  if (/^HTTP\/1\.\d 400 .*plain HTTP request/is.test(text)) return 'tls';
  if (text.startsWith('HTTP/')) return 'http';
  if (bytes[0] === TLS_ALERT && bytes[1] === 3) return 'tls';
  if (bytes.length >= 9 && bytes[3] === HTTP2_SETTINGS && bytes.readUInt32BE(5) === 0) return 'plain';
  return 'other';
}

function hasTls(target: Target): Promise<boolean> {
  return new Promise((resolve) => {
    let isTls = false;
    // No data is sent, so the certificate need not be valid.
    const socket = connectTls({ ...target, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    const limit = setTimeout(() => socket.destroy(), ANSWER_MS);
    socket.once('secureConnect', () => {
      isTls = true;
      socket.destroy();
    });
    // A TLS server that requires a client certificate can answer with an alert.
    socket.on('error', (error) => {
      isTls ||= /alert/i.test(error.message);
    });
    socket.once('close', () => {
      clearTimeout(limit);
      resolve(isTls);
    });
  });
}
