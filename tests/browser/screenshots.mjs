// The pictures of the book.

import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { open, ready, review } from './harness.mjs';

const LIGHT = { colorScheme: 'light', viewport: { width: 1100, height: 680 } };
const DARK = { ...LIGHT, colorScheme: 'dark' };
const PHONE = { colorScheme: 'dark', viewport: { width: 390, height: 780 } };

/** Pages that are files: name, page, window, and what stands at the upper edge. */
const FILES = [
  ['report-light', 'report', LIGHT, null],
  ['report-charts', 'report', { ...LIGHT, viewport: { width: 1100, height: 560 } }, 'section[aria-labelledby=pipelines]'],
  ['report-time', 'report', { ...DARK, viewport: { width: 1100, height: 760 } }, 'section[aria-labelledby=time]'],
  ['report-dark-phone', 'report', PHONE, null],
  ['plan-light', 'plan', LIGHT, null],
  ['scope-dark', 'scope', DARK, null],
];

async function keep(told, checks, page, name) {
  const path = join(told.screenshots, `${name}.png`);
  const picture = await page.screenshot({ path, animations: 'disabled', caret: 'hide' });
  checks.that(picture.length < 150000, `${name}: ${picture.length} bytes`);
}

export async function run(told, own, checks) {
  for (const [name, file, options, at] of FILES) {
    const address = pathToFileURL(told.pages[file]).href;
    const { context, page } = await open(own, [address], { ...options, reducedMotion: 'reduce' });
    await page.goto(address);
    if (at !== null) await page.evaluate((where) => document.querySelector(where).scrollIntoView(), at);
    await keep(told, checks, page, name);
    await context.close();
  }
  // By its name alone, as people type it.
  const server = await review(told, basename(told.spec), ['--by', 'ops@acme.example'], dirname(told.spec));
  for (const [name, options] of [['review-light', LIGHT], ['review-dark-phone', PHONE]]) {
    const { context, page } = await open(own, [server.origin], { ...options, reducedMotion: 'reduce' });
    await page.goto(server.address);
    await ready(page);
    await page.click('#maps button:nth-child(4)');
    if (options.viewport.width < 600) await page.evaluate(() => document.getElementById('detail').scrollIntoView());
    await keep(told, checks, page, name);
    await context.close();
  }
  await server.end('SIGINT');
}
