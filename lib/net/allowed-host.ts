/**
 * Checks the Host header of a request, so that a web page cannot reach a local server through the page's own host name
 * (DNS rebinding).
 */
import { isIP } from 'node:net';
import type { Address } from './address.ts';

export interface HostRule {
  /** The address at which the server listens. */
  readonly listen: Address;
  /** The name of this machine. */
  readonly hostname: string;
  /** Further allowed names, such as the name of a Kubernetes Service or Ingress. */
  readonly names: readonly string[];
}

const WILDCARDS: readonly string[] = ['0.0.0.0', '::'];
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/;

/**
 * Returns the name or address in a Host header in lower case, without port, brackets or final dot.
 * Undefined if the header is malformed.
 */
export function hostOf(header: string): string | undefined {
  const groups = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<name>[^\s:/@[\]]+?)\.?)(?::\d{1,5})?$/.exec(header)?.groups;
  return (groups?.v6 ?? groups?.name)?.toLowerCase();
}

/**
 * Whether a Host header names this server. Accepts the listen address and the allowed names. A server on the loopback
 * interface also accepts every name and address of this interface. Other servers also accept the name of the machine. A
 * server that listens on all addresses also accepts `localhost` and every IP address, because an attack by DNS
 * rebinding needs a host name of the attacker. The port is not compared, because a proxy can change it.
 */
export function isAllowedHost(header: string | undefined, { listen, hostname, names }: HostRule): boolean {
  const host = header === undefined ? undefined : hostOf(header);
  if (host === undefined) return false;
  const own = hostOf(listen.host) ?? listen.host;
  if (host === own || names.some((name) => hostOf(name) === host)) return true;
  if (LOOPBACK.test(own)) return LOOPBACK.test(host);
  if (host === hostname.toLowerCase()) return true;
  return WILDCARDS.includes(own) && (isIP(host) !== 0 || host === 'localhost');
}
