// The page as a file: no server, no request, kept in the browser, given out as a file that the program takes in.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { accessible, b2n, open, quiet, ready } from './harness.mjs';

export async function run(told, own, checks) {
  const file = join(told.folder, 'review.html');
  const made = b2n(told, ['review', told.spec, '--page', file]);
  checks.equal(made.code, 0, made.out);
  const address = pathToFileURL(file).href;
  const window = await open(own, [address]);
  const { page } = window;
  await page.goto(address);
  await ready(page);
  await page.fill('#person', 'cyd@acme.example');
  await page.focus('#list');
  await page.keyboard.press('End');
  const last = await page.textContent('#detail h2');
  await page.keyboard.press('c');
  await page.keyboard.type('said elsewhere </script>');
  await page.keyboard.press('Control+Enter');
  await page.waitForSelector('.comment');
  await page.keyboard.press('Escape');
  const before = await page.getAttribute('#tick', 'aria-pressed');
  await page.keyboard.press('x');
  await page.waitForFunction((was) => document.getElementById('tick').getAttribute('aria-pressed') !== was, before);
  await page.reload();
  await ready(page);
  checks.equal(await page.textContent('#detail h2'), last, 'the record that was shown');
  checks.that((await page.textContent('#detail')).includes('said elsewhere </script>'), 'kept over a reload');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
  const said = join(told.folder, 'said.json');
  await download.saveAs(said);
  await quiet(checks, window, 'the page as a file');
  const taken = b2n(told, ['review', told.spec, '--import', said]);
  checks.equal(taken.code, 0, taken.out);
  checks.that(taken.out.includes('1 ticks and 1 comments are new'), taken.out);
  const told2 = b2n(told, ['approve', told.spec, '--dry-run']);
  checks.that(told2.out.includes('said elsewhere </script>') && told2.out.includes('cyd@acme.example'), told2.out);
  await window.context.close();
  for (const colorScheme of ['light', 'dark']) {
    const one = await open(own, [address], { colorScheme, bypassCSP: true });
    await one.page.goto(address);
    await ready(one.page);
    await accessible(checks, one.page, `the page as a file, ${colorScheme}`);
    await one.context.close();
  }
}
