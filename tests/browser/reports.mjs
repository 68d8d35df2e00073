// Every report: its links lead somewhere, it asks for nothing, it is accessible by day and by night, and on paper it is whole.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { accessible, open, quiet } from './harness.mjs';

export async function run(told, own, checks) {
  for (const [name, file] of Object.entries(told.pages)) {
    const address = pathToFileURL(file).href;
    const window = await open(own, [address]);
    const { page } = window;
    await page.goto(address);
    const links = await page.evaluate(() => [...document.querySelectorAll('a[href]')].map((link) => {
      const href = link.getAttribute('href');
      return { href, leads: href.startsWith('#') && document.getElementById(decodeURIComponent(href.slice(1))) !== null };
    }));
    // Within the page, or to a list that lies beside it.
    const beside = ({ href }) => /^[\w-]+\.(csv|json)$/u.test(href) && existsSync(join(dirname(file), href));
    checks.equal(links.filter((link) => !link.leads && !beside(link)), [], `${name}: links that lead nowhere`);
    checks.that(await page.evaluate(() => document.querySelectorAll('script, img, iframe, object, embed').length) === 0, `${name}: elements`);
    checks.that((await page.textContent('h1')).trim() !== '', `${name}: a heading`);
    const folded = await page.evaluate(() => {
      const all = document.querySelectorAll('table, tr, dl, li');
      return { all: all.length, hidden: [...all].filter((one) => !one.closest('nav') && one.getClientRects().length === 0).length };
    });
    await page.emulateMedia({ media: 'print' });
    const paper = await page.evaluate(() => {
      const all = [...document.querySelectorAll('table, tr, dl, li')].filter((one) => !one.closest('nav'));
      return all.filter((one) => one.getClientRects().length === 0 && !one.closest('details:not([open])')).length;
    });
    checks.equal(paper, 0, `${name}: what is not on paper, of ${folded.all}`);
    const pdf = await page.pdf({ preferCSSPageSize: true });
    checks.that(pdf.subarray(0, 5).toString() === '%PDF-' && pdf.length > 3000, `${name}: a PDF of ${pdf.length} bytes`);
    await quiet(checks, window, name);
    await window.context.close();
    for (const colorScheme of ['light', 'dark']) {
      for (const width of [1280, 375]) {
        const one = await open(own, [address], { colorScheme, viewport: { width, height: 800 }, bypassCSP: true });
        await one.page.goto(address);
        await accessible(checks, one.page, `${name}, ${colorScheme}, ${width} wide`);
        const wide = await one.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        const at = wide <= 1 ? [] : await one.page.evaluate(() =>
          [...document.querySelectorAll('body *')]
            .filter((node) => node.getBoundingClientRect().right > window.innerWidth + 1 && !node.closest('.wide'))
            .slice(0, 5).map((node) => node.outerHTML.slice(0, 120)));
        checks.that(wide <= 1, `${name}: ${wide} pixels too wide on ${width}: ${at.join(' ')}`);
        await one.context.close();
      }
    }
  }
  checks.that(Object.keys(told.pages).length > 0, 'no page was made');
}
