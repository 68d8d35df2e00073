// The pictures of the book.

import { join } from 'node:path';

import { open, ready, review } from './harness.mjs';

export async function run(told, own, checks) {
  const server = await review(told, told.spec, ['--by', 'ops@acme.example']);
  for (const [name, options] of [
    ['review-light', { colorScheme: 'light', viewport: { width: 1100, height: 720 } }],
    ['review-dark-phone', { colorScheme: 'dark', viewport: { width: 390, height: 780 } }],
  ]) {
    const { context, page } = await open(own, [server.origin], { ...options, reducedMotion: 'reduce' });
    await page.goto(server.address);
    await ready(page);
    await page.click('#maps button:nth-child(4)');
    if (options.viewport.width < 600) await page.evaluate(() => document.getElementById('detail').scrollIntoView());
    const picture = await page.screenshot({ path: join(told.screenshots, `${name}.png`), animations: 'disabled', caret: 'hide' });
    checks.that(picture.length < 150000, `${name}: ${picture.length} bytes`);
    await context.close();
  }
  await server.end('SIGINT');
}
