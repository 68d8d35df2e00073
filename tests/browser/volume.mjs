// 5,000 records and more: what a key press makes the page do is counted, what it takes is printed.

import { open, quiet, ready, review } from './harness.mjs';

export async function run(told, own, checks) {
  const server = await review(told, told.large, ['--per-object', '5000']);
  checks.that(server.records >= 5000, `${server.records} records`);
  const window = await open(own, [server.origin]);
  const { page } = window;
  await page.addInitScript(() => {
    window.long = [];
    new PerformanceObserver((list) => window.long.push(...list.getEntries().map((entry) => entry.duration)))
      .observe({ type: 'longtask', buffered: true });
  });
  const begun = Date.now();
  await page.goto(server.address);
  await ready(page);
  const loaded = Date.now() - begun;
  const rows = () => page.evaluate(() => document.querySelectorAll('.row').length);
  checks.that(await rows() <= 60, `${await rows()} rows stand in the page`);
  const loading = await page.evaluate(() => window.long.splice(0));
  await page.focus('#list');
  const measure = (keys, key) => page.evaluate(async ([times, name]) => {
    let added = 0;
    let inList = 0;
    const watch = new MutationObserver((changes) => {
      for (const change of changes) {
        for (const node of change.addedNodes) {
          const whole = 1 + (node.querySelectorAll?.('*').length ?? 0);
          if (node.parentElement?.closest('#list') || change.target.closest?.('#list')) inList += whole;
          else added += whole;
        }
      }
    });
    watch.observe(document.body, { childList: true, subtree: true });
    const frames = [];
    for (let time = 0; time < times; time += 1) {
      const from = performance.now();
      document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true, cancelable: true }));
      await new Promise((done) => { requestAnimationFrame(() => setTimeout(done, 0)); });
      frames.push(performance.now() - from);
    }
    watch.disconnect();
    frames.sort((a, b) => a - b);
    return { added: added / times, inList: inList / times, median: frames[times >> 1], worst: frames[times - 1] };
  }, [keys, key]);
  const steps = await measure(300, 'j');
  checks.that(steps.added > 0, 'the keys did nothing');
  checks.that(steps.added <= 1500, `a press of j makes ${steps.added} nodes of the record`);
  // A row that scrolls in is one that scrolled out; what is new in it is its texts.
  checks.that(steps.inList <= 200, `a press of j makes ${steps.inList} nodes of the list`);
  const pages = await measure(60, 'PageDown');
  checks.that(pages.inList <= 200, `a page further makes ${pages.inList} nodes of the list`);
  checks.that(await rows() <= 60, `${await rows()} rows stand in the page`);
  const keys = await page.evaluate(() => window.long.splice(0));
  await page.focus('#search');
  const searching = Date.now();
  await page.keyboard.type('pump');
  const searched = Date.now() - searching;
  checks.that(await rows() <= 60, `${await rows()} rows stand in the page`);
  const searches = await page.evaluate(() => window.long.splice(0));
  await page.fill('#search', '');
  await page.evaluate(() => { document.getElementById('list').scrollTop = 1e7; });
  await page.waitForTimeout(200);
  const last = await page.evaluate(() => Math.max(...[...document.querySelectorAll('.row:not([hidden])')].map((row) => Number(row.getAttribute('aria-posinset')))));
  checks.equal(last, server.records, 'the last row');
  checks.that(await rows() <= 60, `${await rows()} rows stand in the page`);
  await quiet(checks, window, 'volume');
  const sum = (list) => `${list.length} long tasks, ${Math.round(list.reduce((a, b) => a + b, 0))} ms`;
  console.log(`volume: ${server.records} records loaded in ${loaded} ms (${sum(loading)}); j: median ${steps.median.toFixed(1)} ms, `
    + `worst ${steps.worst.toFixed(1)} ms, ${steps.added.toFixed(0)} nodes; PageDown: median ${pages.median.toFixed(1)} ms `
    + `(keys: ${sum(keys)}); search of four letters: ${searched} ms (${sum(searches)})`);
  await window.context.close();
  await server.end('SIGINT');
}
