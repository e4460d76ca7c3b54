import { chooseBackend } from '/work/main/agent/machine/backend.ts';
import { probeBackends } from '/work/main/agent/machine/probe.ts';
import { trainerNamed } from '/work/main/agent/trainers/registry.ts';
import { datasetStatus } from '/work/main/agent/data/status.ts';
import { TRAINERS, withDefaults } from '/work/main/proto/trainers.ts';
import * as tf from '@tensorflow/tfjs-core';
let t=performance.now(); const lap=(w:string)=>{const n=performance.now(); console.log(w,(n-t).toFixed(0),'ms'); t=n;};
console.log(await chooseBackend({gpus:0,requireGpu:false})); lap('backend');
console.log(await probeBackends()); lap('probe');
const given = JSON.parse(process.argv[2] ?? '{}');
for (let k=0;k<Number(process.argv[3] ?? 1);k++) {
await trainerNamed('autoencoder')!({parameters: withDefaults(TRAINERS.autoencoder, given), seed: 1, dataDir:'/tmp/trawl-data', signal: new AbortController().signal, report:(e,m)=>{lap('epoch '+e); console.log(m)}}); lap('end');
console.log(tf.memory().numTensors, tf.memory().numBytes);
}
console.log(await datasetStatus('/tmp/trawl-data')); lap('status');
