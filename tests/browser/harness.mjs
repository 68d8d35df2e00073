// What every flow needs: a Chromium, a page that is watched, a running `b2n review`, checks that are counted.

import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

import { chromium } from 'playwright-core';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export class Checks {
  constructor() {
    this.number = 0;
  }

  /** Stops at the first thing that is not so. */
  that(so, what) {
    this.number += 1;
    if (!so) throw new Error(what);
  }

  equal(found, wanted, what) {
    const text = (value) => JSON.stringify(value);
    this.that(text(found) === text(wanted), `${what}: ${text(found)}, not ${text(wanted)}`);
  }
}

export async function browser(told) {
  return chromium.launch({
    executablePath: told.chromium,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** A window whose every request, error and question is kept; `allowed` is what may be asked for. */
export async function open(own, allowed, options = {}) {
  const context = await own.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true, ...options });
  const page = await context.newPage();
  const watch = { foreign: [], errors: [], dialogs: 0, asked: 0 };
  page.on('request', (request) => {
    watch.asked += 1;
    const url = request.url();
    if (!allowed.some((start) => url.startsWith(start)) && !url.startsWith('blob:')) watch.foreign.push(url);
  });
  page.on('pageerror', (error) => watch.errors.push(String(error)));
  page.on('console', (message) => { if (message.type() === 'error') watch.errors.push(message.text()); });
  page.on('dialog', (dialog) => { watch.dialogs += 1; dialog.dismiss(); });
  return { context, page, watch };
}

/** Neither a request to anywhere else, nor an error, nor anything that was let in by data. */
export async function quiet(checks, { page, watch }, where, expected = () => false) {
  checks.equal(watch.foreign, [], `${where}: requests to elsewhere`);
  checks.equal(watch.errors.filter((text) => !expected(text)), [], `${where}: errors`);
  checks.equal(watch.dialogs, 0, `${where}: dialogs`);
  checks.equal(await page.evaluate(() => window.hit ?? null), null, `${where}: data was run`);
}

/** No serious and no critical finding. */
export async function accessible(checks, page, where) {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const result = await window.axe.run(document, { resultTypes: ['violations'] });
    return result.violations.filter((one) => ['serious', 'critical'].includes(one.impact)).map((one) => ({
      id: one.id, nodes: one.nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} ${node.failureSummary ?? ''}`),
    }));
  });
  checks.equal(found, [], `${where}: axe`);
}

export function b2n(told, args) {
  const done = spawnSync(told.b2n, args, { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } });
  return { code: done.status, out: done.stdout + done.stderr };
}

const running = new Set();

/** Ends what a flow that failed left running. */
export function endAll() {
  for (const child of running) child.kill('SIGKILL');
}

/** Starts `b2n review`; gives its address and how to end it. */
export async function review(told, spec, args = [], folder = undefined) {
  const options = { stdio: ['ignore', 'pipe', 'inherit'], cwd: folder };
  const child = spawn(told.b2n, ['review', spec, '--format', 'json', ...args], options);
  running.add(child);
  child.on('exit', () => running.delete(child));
  const line = await new Promise((done, failed) => {
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
      if (text.includes('\n')) done(text.split('\n')[0]);
    });
    child.on('exit', (code) => failed(new Error(`b2n review ended with ${code}: ${text}`)));
  });
  const { address, records } = JSON.parse(line);
  const ended = new Promise((done) => { child.on('exit', done); });
  const end = async (signal) => { child.kill(signal); await ended; };
  const { origin } = new URL(address);
  return { address, origin, port: new URL(address).port, records, end };
}

export const ready = (page) => page.waitForSelector('body[data-ready=yes]', { timeout: 120000 });
