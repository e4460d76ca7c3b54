/** A gRPC server with canned answers, for tests of clients. */
import { Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { type SweepServiceServer, SweepServiceService } from '../../../proto/gen/trawl/v1/sweep_service.ts';

const unimplemented: Partial<ServiceError> = { code: status.UNIMPLEMENTED, details: 'this test has no canned answer' };

const NOTHING: SweepServiceServer = {
  submit: (_call, callback) => callback(unimplemented),
  listSweeps: (_call, callback) => callback(unimplemented),
  getSweep: (_call, callback) => callback(unimplemented),
  getSource: (_call, callback) => callback(null, { source: undefined, environments: [] }),
  controlSweep: (_call, callback) => callback(unimplemented),
  killTrial: (_call, callback) => callback(unimplemented),
  applySweep: (_call, callback) => callback(unimplemented),
  retryTrials: (_call, callback) => callback(unimplemented),
  listTrials: (call) => call.emit('error', unimplemented),
  listConfigs: (call) => call.emit('error', unimplemented),
  listCurves: (call) => call.emit('error', unimplemented),
  getTrial: (_call, callback) => callback(unimplemented),
  listRungs: (_call, callback) => callback(unimplemented),
  listReports: (call) => call.emit('error', unimplemented),
  watch: (call) => call.emit('error', unimplemented),
  readLog: (call) => call.emit('error', unimplemented),
  listAgents: (_call, callback) => callback(unimplemented),
  explainTrial: (_call, callback) => callback(unimplemented),
};

export interface CannedServer {
  readonly address: string;
  readonly port: number;
  stop(): void;
}

/** @param port zero selects a free port */
export function serveCanned(answers: Partial<SweepServiceServer>, port = 0): Promise<CannedServer> {
  const server = new Server();
  const implementation: SweepServiceServer = Object.assign({}, NOTHING, answers);
  server.addService(SweepServiceService, implementation);
  return new Promise((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error !== null) reject(error);
      else resolve({ address: `127.0.0.1:${bound}`, port: bound, stop: () => server.forceShutdown() });
    });
  });
}
