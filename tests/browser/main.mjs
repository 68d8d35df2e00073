// Runs the flows that it is told, one after the other, and says how many checks each made.

import { readFileSync } from 'node:fs';

import { Checks, browser, endAll } from './harness.mjs';
import * as offline from './offline.mjs';
import * as reports from './reports.mjs';
import * as review from './review.mjs';
import * as screenshots from './screenshots.mjs';
import * as volume from './volume.mjs';

const FLOWS = { review, volume, offline, reports, screenshots };
const told = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const own = await browser(told);
let failed = 0;
for (const name of told.flows) {
  const begun = Date.now();
  const checks = new Checks();
  try {
    if (!(name in FLOWS)) throw new Error(`there is no such flow; there are ${Object.keys(FLOWS).join(', ')}`);
    await FLOWS[name].run(told, own, checks);
    console.log(`${name}: ${checks.number} checks in ${Math.round((Date.now() - begun) / 1000)} s`);
  } catch (error) {
    failed += 1;
    console.log(`${name}: failed after ${checks.number} checks: ${error.stack ?? error}`);
  }
}
endAll();
await own.close();
process.exit(failed ? 1 : 0);
