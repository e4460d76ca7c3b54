import { chooseBackend } from '../machine/backend.ts';
import { Learner } from './autoencoder/learner.ts';
import { TestSet } from './autoencoder/evaluation.ts';
import { deviceRows, pickRows } from './autoencoder/images.ts';
import { settingsOf } from './autoencoder/settings.ts';
import { loadImages } from '../data/load.ts';
import { normals } from './autoencoder/normal.ts';
import { Random } from './autoencoder/random.ts';
import { TRAINERS, withDefaults } from '../../proto/trainers.ts';
import * as tf from '@tensorflow/tfjs-core';
await chooseBackend({gpus:0,requireGpu:false});
const time=(name:string,f:()=>void,n=60)=>{ for(let i=0;i<10;i++) f(); const t=performance.now(); for(let i=0;i<n;i++) f(); console.log(name, ((performance.now()-t)/n).toFixed(2),'ms');};
const images = await loadImages('mnist','/tmp/trawl-data');
const rows = deviceRows(images.train,0,6000);
const idx = Int32Array.from({length:64},(_,i)=>i*7);
time('normals 50k', ()=>{normals(50176,0.5,new Random(1,1))});
time('pick', ()=>tf.tidy(()=>{pickRows(rows,idx)}));
for (const depth of [3,5]) for (const extra of [{}, {lambda_l1:1e-5,weight_decay:1e-5}, {noise_std:0.5,lambda_l1:1e-5,weight_decay:1e-5}]) {
  const s = settingsOf(withDefaults(TRAINERS.autoencoder,{depth,...extra}));
  const l = new Learner(s,1);
  time(`depth ${depth} ${JSON.stringify(extra)}`, ()=>{ tf.tidy(()=>{l.step(pickRows(rows,idx))}) });
  const ad = (l as unknown as {adam: {step(g:tf.Tensor2D):void}}).adam;
  if (!('noise_std' in extra)) { const g = tf.randomNormal(l.parameters.shape) as tf.Tensor2D; time('  adam', ()=>ad.step(g)); }
  const ts = new TestSet(images.test,0,new Random(1,4));
  if (!('noise_std' in extra)) {const t=performance.now(); await ts.loss(x=>l.reconstruct(x), async()=>{}); console.log('  eval', (performance.now()-t).toFixed(0));}
  ts.dispose(); l.dispose();
}
if (process.argv[2]) {
  const s = settingsOf(withDefaults(TRAINERS.autoencoder,{depth:3,lambda_l1:1e-5,weight_decay:1e-5,noise_std:0.5})); const l=new Learner(s,1);
  for (let i=0;i<5;i++) tf.tidy(()=>{l.step(pickRows(rows,idx))});
  const tot: Record<string,[number,number]> = {};
  const p = await tf.profile(async()=>{}) ;
  const e = tf.engine() as unknown as {runKernelFunc: (a: unknown)=>unknown};
  const orig = e.runKernelFunc.bind(e);
  e.runKernelFunc = (a: any) => { const t=performance.now(); const r=orig(a); const d=performance.now()-t; const n=a.kernelName; (tot[n]??=[0,0]); tot[n][0]+=d; tot[n][1]++; return r;};
  const N=40; const t=performance.now(); for (let i=0;i<N;i++) tf.tidy(()=>{l.step(pickRows(rows,idx))}); console.log('step', (performance.now()-t)/N);
  for (const [k,[ms,n]] of Object.entries(tot).sort((a,b)=>b[1][0]-a[1][0])) console.log(k.padEnd(20), (ms/N).toFixed(3), n/N);
}
