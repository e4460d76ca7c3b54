// Run after `npm install` where the registry holds this platform's packages only: see setup/platform-packages.mjs.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKOUT } from './setup/checkout.mjs';
import { missingPlatformPackages } from './setup/platform-packages.mjs';

const file = join(CHECKOUT, 'package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8'));
const missing = missingPlatformPackages(lock);
const [root, ...rest] = [...Object.entries(lock.packages), ...Object.entries(missing)];
lock.packages = Object.fromEntries([root, ...rest.sort(([a], [b]) => (a < b ? -1 : 1))]);
if (Object.keys(missing).length > 0) writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json: ${Object.keys(missing).length} packages for other platforms added`);
