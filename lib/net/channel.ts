/** Returns the credentials and options for a client's channel to the coordinator. */
import { isIP } from 'node:net';
import { hostname, userInfo } from 'node:os';
import { checkServerIdentity } from 'node:tls';
import {
  type ChannelCredentials,
  type ChannelOptions,
  type ClientOptions,
  credentials,
  Channel as GrpcChannel,
  InterceptingCall,
  type Interceptor,
  Metadata,
  status,
} from '@grpc/grpc-js';
import { REACHED_HEADER } from '../../proto/leader-header.ts';
import { MAX_USER, USER_HEADER } from '../../proto/user-header.ts';
import { parseAddress } from './address.ts';
import type { Identity } from './identity.ts';
import { LeaderChannel, type LeaderWait } from './leader-channel.ts';
import type { TokenSource, TokenSources } from './token-source.ts';

export interface Channel {
  readonly shown: ChannelCredentials;
  readonly options: Partial<ClientOptions>;
}

/** The server name for TLS if the address is an IP address. Every server certificate contains this name. */
const CERTIFICATE_NAME = 'localhost';

/**
 * Returns the channel options for web proxies. Coordinators are on this machine or on a private network, so the
 * variables http_proxy, https_proxy and grpc_proxy apply only with TRAWL_USE_PROXY=1.
 */
function proxyOptions(): ChannelOptions {
  return { 'grpc.enable_http_proxy': process.env.TRAWL_USE_PROXY === '1' ? 1 : 0 };
}

/**
 * Returns the credentials and options of a channel. With an identity, the connection uses TLS with the certificate of
 * the identity, and each call has the token of the identity. Without an identity, the channel does not use TLS, and
 * each call has the token that `tokenOf` returns, if any.
 * @param address the address as HOST:PORT
 * @throws {BadInputError} if the address is not valid
 */
export function channelTo(address: string, identity: Identity | undefined, tokenOf?: TokenSource): Channel {
  if (identity === undefined) {
    const interceptors = [addUser, ...(tokenOf === undefined ? [] : [addToken(tokenOf)])];
    return { shown: credentials.createInsecure(), options: { ...proxyOptions(), interceptors } };
  }
  const { authority, key, certificate, token } = identity;
  const host = parseAddress(address, 'the coordinator').host.replace(/^\[|\]$/g, '');
  // TLS must check the certificate against the host of the address, even if gRPC passes another name.
  const check = {
    checkServerIdentity: (_name: string, shown: Parameters<typeof checkServerIdentity>[1]) =>
      checkServerIdentity(host, shown),
  };
  const bearer = credentials.createFromMetadataGenerator((_parameters, callback) => {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    callback(null, metadata);
  });
  return {
    shown: credentials.combineChannelCredentials(credentials.createSsl(authority, key, certificate, check), bearer),
    options: {
      ...proxyOptions(),
      ...(isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': CERTIFICATE_NAME }),
    },
  };
}

/**
 * Returns a channel to the leader of several coordinators.
 * @param addresses the HOST:PORT of each coordinator; at least one
 * @param tokenOf returns the source of the token for an address; used only if there is no identity
 * @param wait see LeaderChannel
 * @throws {BadInputError} if an address is not valid
 */
export function channelToLeader(
  addresses: readonly string[],
  identity: Identity | undefined,
  tokenOf: TokenSources,
  settings: ChannelOptions,
  wait?: LeaderWait,
): LeaderChannel {
  const open = (address: string) => {
    const { shown, options } = channelTo(address, identity, identity === undefined ? tokenOf(address) : undefined);
    const { interceptors = [], ...channelOptions } = options;
    return { channel: new GrpcChannel(address, shown, { ...channelOptions, ...settings }), interceptors };
  };
  return new LeaderChannel(addresses, open, wait);
}

/**
 * Adds the user's name and host, which the coordinator records with each change that the user makes. If the client has
 * a certificate, the coordinator records the name in the certificate instead.
 */
const addUser: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start(metadata, listener, next) {
      metadata.set(USER_HEADER, user());
      next(metadata, listener);
    },
  });

/** Returns USER@HOST. Each character that a header cannot contain is replaced by `?`. */
function user(): string {
  return `${userName()}@${hostname()}`.replace(/[^\x20-\x7e]/g, '?').slice(0, MAX_USER);
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container can run as a user id without a name.
    return `uid-${process.getuid?.() ?? 0}`;
  }
}

/**
 * If there is a token, adds it to each call. The call credentials of gRPC cannot do this, because gRPC adds them
 * only to TLS connections. Loopback connections do not use TLS, but they keep the token secret, because only root can
 * read their traffic.
 *
 * A coordinator can start between the search for the token and the arrival of the call. The coordinator then rejects
 * the call as UNAUTHENTICATED, and clients do not repeat a call with this error. After such a rejection, the token is
 * searched for a second time. If the second search finds a different token, the call fails as UNAVAILABLE instead, so
 * that clients repeat the call.
 */
function addToken(tokenOf: TokenSource): Interceptor {
  return (options, nextCall) =>
    new InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        const answer = tokenOf();
        if (answer.kind === 'foreign') {
          listener.onReceiveStatus({ code: status.UNAVAILABLE, details: answer.message, metadata: new Metadata() });
          return;
        }
        const sent = answer.kind === 'token' ? answer.token : undefined;
        if (sent !== undefined) metadata.set('authorization', `Bearer ${sent}`);
        next(metadata, {
          onReceiveStatus(received, pass) {
            const outdated = received.code === status.UNAUTHENTICATED && isOtherToken(tokenOf, sent);
            if (!outdated) return pass(received);
            received.metadata.set(REACHED_HEADER, '1');
            pass({ ...received, code: status.UNAVAILABLE, details: NEW_TOKEN });
          },
        });
      },
    });
}

const NEW_TOKEN = 'the coordinator has a new token; repeat the call';

function isOtherToken(tokenOf: TokenSource, sent: string | undefined): boolean {
  try {
    const now = tokenOf();
    return now.kind === 'token' && now.token !== sent;
  } catch {
    // The file of the token is not valid at this moment. The call then fails with the error of the coordinator.
    return false;
  }
}
