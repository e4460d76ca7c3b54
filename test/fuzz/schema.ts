/** Reads all methods and messages from the .proto files, so that new methods and messages are fuzzed too. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { packageRoot } from '../../bin/package.ts';

export interface WireMethod {
  /** The path of the method, such as `/trawl.v1.SweepService/Submit`. */
  readonly path: string;
  readonly request: protobuf.Type;
  /** Whether the client sends a stream of requests. */
  readonly clientStreams: boolean;
  /** Whether the server sends a stream of responses. */
  readonly serverStreams: boolean;
}

const PROTO = join(packageRoot(), 'proto');

const root = new protobuf.Root();
root.resolvePath = (_, target) => join(PROTO, target);
root.loadSync(
  readdirSync(join(PROTO, 'trawl', 'v1')).flatMap((file) => (file.endsWith('.proto') ? [`trawl/v1/${file}`] : [])),
);
root.resolveAll();

export const METHODS: readonly WireMethod[] = methodsOf(root);

/** Returns a message type by name, such as `Heartbeat`. */
export function messageType(name: string): protobuf.Type {
  return root.lookupType(`trawl.v1.${name}`);
}

function methodsOf(namespace: protobuf.NamespaceBase): WireMethod[] {
  return namespace.nestedArray.flatMap((nested) => {
    if (nested instanceof protobuf.Service) {
      return nested.methodsArray.map((method) => ({
        path: `/${nested.fullName.slice(1)}/${method.name}`,
        request: method.resolvedRequestType ?? namespace.lookupType(method.requestType),
        clientStreams: method.requestStream === true,
        serverStreams: method.responseStream === true,
      }));
    }
    return nested instanceof protobuf.Namespace ? methodsOf(nested) : [];
  });
}
