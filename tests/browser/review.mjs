// The review page, from opening to approval: by keys alone, over reloads, a killed server, two windows, hostile data.

import { createServer } from 'node:http';

import { accessible, b2n, open, quiet, ready, review } from './harness.mjs';

const saved = (page) => page.waitForFunction(() => /^saved /u.test(document.getElementById('saved').textContent));
const status = (page) => page.textContent('#saved');
const heading = (page) => page.textContent('#detail h2');
const ticked = async (page) => {
  const [, yes, all] = /all (\d+)\/(\d+)/u.exec(await page.textContent('#maps'));
  return [Number(yes), Number(all)];
};
const focus = (page) => page.evaluate(() => document.activeElement.id);

async function strangers(told, own, checks) {
  const server = await review(told, told.spec);
  const { context, page } = await open(own, [server.origin]);
  for (const address of [`${server.origin}/`, `${server.origin}/?token=${'0'.repeat(64)}`]) {
    const answer = await page.goto(address);
    checks.equal(answer.status(), 403, address);
  }
  checks.equal((await page.request.get(server.address, { headers: { host: 'evil.example' } })).status(), 403, 'another host');
  // A page of another origin, which knows the token even, reaches nothing.
  const token = new URL(server.address).searchParams.get('token');
  const other = createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html');
    answer.end('<!DOCTYPE html><title>x</title>');
  });
  await new Promise((done) => { other.listen(0, '127.0.0.1', done); });
  await page.goto(`http://127.0.0.1:${other.address().port}/`);
  const reached = await page.evaluate(async ([origin, word]) => {
    const tries = [
      [`${origin}/api/said`, { headers: { 'x-b2n-token': word } }],
      [`${origin}/?token=${word}`, {}],
      [`${origin}/api/say`, { method: 'POST', mode: 'no-cors', body: '{}' }],
    ];
    const ends = [];
    for (const [address, how] of tries) {
      ends.push(await fetch(address, how).then((answer) => answer.type, () => 'refused'));
    }
    return ends;
  }, [server.origin, token]);
  checks.equal(reached, ['refused', 'refused', 'refused'], 'another origin');
  other.close();
  await context.close();
  await server.end('SIGINT');
}

/** Every record, one after the other: no text of it becomes anything but text. */
async function hostile(told, window, checks) {
  const { page } = window;
  const seen = { text: '', elements: 0, records: 0 };
  const count = Number(/^(\d+) of/u.exec(await page.textContent('#count'))[1]);
  await page.focus('#list');
  await page.keyboard.press('Home');
  for (let at = 0; at < count; at += 1) {
    const found = await page.evaluate(() => ({
      text: document.getElementById('detail').textContent + document.getElementById('list').textContent,
      elements: document.querySelectorAll('#detail :is(script, img, svg, iframe, object, embed, a, style, link), #list :is(script, img, svg, a)').length,
    }));
    seen.text += found.text;
    seen.elements += found.elements;
    seen.records += 1;
    await page.keyboard.press('j');
  }
  checks.equal(seen.elements, 0, 'elements that data made');
  checks.equal(seen.records, count, 'records that were seen');
  for (const text of ['<script>window.hit = 1; alert(1)</script>', 'onerror="window.hit = 1"', "=cmd|' /C calc'!A0", 'U+202E',
    'Иван Петров', '株式会社', 'مرحبا', '👩‍👩‍👧‍👦', '<svg onload=window.hit=1>']) {
    checks.that(seen.text.includes(text), `\`${text}\` is nowhere to be seen`);
  }
  checks.that(!seen.text.includes('\u202e'), 'an override is in the page');
  await quiet(checks, window, 'hostile data');
}

async function keys(page, checks) {
  await page.focus('#list');
  await page.keyboard.press('Home');
  await page.keyboard.press('x');
  checks.equal(await focus(page), 'person', 'nobody is named: the focus goes there');
  checks.that((await status(page)).includes('type a name'), await status(page));
  await page.keyboard.type('ann@acme.example');
  await page.keyboard.press('Escape');
  checks.equal(await focus(page), 'list', 'back to the list');
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  checks.that(outline !== 'none', 'the focus is not to be seen');
  const first = await heading(page);
  await page.keyboard.press('x');
  await saved(page);
  checks.equal((await ticked(page))[0], 1, 'ticked');
  checks.that((await page.textContent('#told')).includes('ticked'), 'a screen reader is told');
  await page.keyboard.press('x');
  await page.waitForFunction(() => document.getElementById('tick').getAttribute('aria-pressed') === 'false');
  await page.keyboard.press('x');
  await page.waitForFunction(() => document.getElementById('tick').getAttribute('aria-pressed') === 'true');
  await page.keyboard.press('j');
  const second = await heading(page);
  checks.that(second !== first, 'j leads on');
  await page.keyboard.press('k');
  checks.equal(await heading(page), first, 'k leads back');
  await page.keyboard.press('n');
  checks.equal(await heading(page), second, 'n leads to what is not ticked');
  await page.keyboard.press('c');
  checks.equal(await focus(page), 'comment-text', 'c leads to the comment');
  await page.keyboard.type('<b>why</b> =cmd \u202e名前 xjk?/');
  checks.equal(await heading(page), second, 'keys in a comment are text');
  await page.keyboard.press('Control+Enter');
  await page.waitForSelector('.comment.open-one');
  checks.equal(await page.inputValue('#comment-text'), '', 'the comment is kept');
  checks.equal(await page.locator('.comment b').count(), 0, 'a comment is text');
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  checks.that(await page.isVisible('#help'), '? shows the keys');
  await page.keyboard.press('Escape');
  checks.that(!(await page.isVisible('#help')), 'Escape closes them');
  await page.keyboard.press('/');
  await page.keyboard.type('calc');
  const found = Number(/^(\d+) of/u.exec(await page.textContent('#count'))[1]);
  const all = (await ticked(page))[1];
  checks.that(found > 0 && found < all, `a search finds ${found} of ${all}`);
  await page.keyboard.press('Control+a');
  await page.keyboard.press('Delete');
  await page.keyboard.press('Escape');
  for (const [select, value] of [['by-state', 'open'], ['by-kind', 'changed'], ['by-fidelity', 'narrowed']]) {
    await page.selectOption(`#${select}`, value);
    const some = Number(/^(\d+) of/u.exec(await page.textContent('#count'))[1]);
    checks.that(some > 0 && some < all, `${select} ${value}: ${some} of ${all}`);
    await page.selectOption(`#${select}`, '');
  }
  for (const select of ['by-rule', 'by-arm']) {
    const value = await page.evaluate((id) => document.getElementById(id).options[1].value, select);
    await page.selectOption(`#${select}`, value);
    const some = Number(/^(\d+) of/u.exec(await page.textContent('#count'))[1]);
    checks.that(some > 0 && some < all, `${select} ${value}: ${some} of ${all}`);
    await page.selectOption(`#${select}`, '');
  }
  await page.focus('#list');
  return second;
}

async function windows(told, own, server, page, checks) {
  const other = await open(own, [server.origin]);
  await other.page.goto(server.address);
  await ready(other.page);
  await other.page.fill('#person', 'bob@acme.example');
  for (const one of [page, other.page]) {
    await one.focus('#list');
    await one.keyboard.press('End');
  }
  const last = await heading(page);
  checks.equal(await heading(other.page), last, 'both look at one record');
  await page.keyboard.press('x');
  await saved(page);
  await other.page.keyboard.press('c');
  await other.page.keyboard.type('from another window');
  await other.page.keyboard.press('Control+Enter');
  await other.page.waitForFunction(() => document.getElementById('saved').textContent.includes('another window'));
  checks.equal(await other.page.inputValue('#comment-text'), 'from another window', 'the draft stays');
  checks.that((await other.page.textContent('#detail')).includes('ticked by ann@acme.example'), 'the other word is shown');
  await other.page.click('#comment');
  await other.page.waitForSelector('.comment');
  await quiet(checks, other, 'the other window', (text) => text.includes('409'));
  await other.page.click('.comment button');
  await other.page.waitForFunction(() => document.querySelector('.comment button').textContent === 'Open again');
  await other.context.close();
}

async function killed(told, own, server, window, checks) {
  const { page, context } = window;
  const before = await ticked(page);
  await server.end('SIGKILL');
  await page.focus('#list');
  await page.keyboard.press('Home');
  await page.keyboard.press('n');
  await page.keyboard.press('x');
  await page.waitForFunction(() => document.getElementById('saved').textContent.startsWith('not saved'));
  checks.that((await status(page)).includes('start `b2n review` again'), await status(page));
  checks.equal(await ticked(page), before, 'nothing is called ticked that is not kept');
  page.once('dialog', (dialog) => dialog.accept());
  await context.close();
  const again = await review(told, told.spec, ['--port', server.port]);
  const anew = await open(own, [again.origin]);
  await anew.page.goto(again.address);
  await ready(anew.page);
  checks.equal(await ticked(anew.page), before, 'what was saved is there');
  checks.equal(Number(await anew.page.evaluate(() => [...document.querySelectorAll('.row')].length > 0)), 1, 'rows');
  return { again, anew };
}

export async function run(told, own, checks) {
  await strangers(told, own, checks);
  const server = await review(told, told.spec, ['--per-object', '40']);
  const window = await open(own, [server.origin]);
  const { page } = window;
  await page.goto(server.address);
  await ready(page);
  const [yes, all] = await ticked(page);
  checks.equal([yes, all], [0, server.records], 'records');
  checks.that(all >= told.planted / 2, `${all} records are shown`);
  await hostile(told, window, checks);
  const commented = await keys(page, checks);
  // Reloaded midway, with a draft.
  await page.keyboard.press('j');
  const where = await heading(page);
  await page.keyboard.press('c');
  await page.keyboard.type('a draft');
  const before = await ticked(page);
  await page.reload();
  await ready(page);
  checks.equal(await ticked(page), before, 'ticks outlive a reload');
  checks.equal(await heading(page), where, 'the record that was shown');
  checks.equal(await page.inputValue('#comment-text'), 'a draft', 'the draft');
  checks.equal(await page.inputValue('#person'), 'ann@acme.example', 'the reviewer');
  await page.fill('#comment-text', '');
  await windows(told, own, server, page, checks);
  await quiet(checks, window, 'the review');
  const { again, anew } = await killed(told, own, server, window, checks);
  await anew.page.fill('#person', 'ann@acme.example');

  // An approval waits for the comment that is open.
  const refused = b2n(told, ['approve', told.spec, '--yes', '--by', 'ann@acme.example']);
  checks.equal(refused.code, 1, refused.out);
  checks.that(refused.out.includes('a comment of the review is open') && refused.out.includes('<b>why</b>'), refused.out);
  await anew.page.selectOption('#by-state', 'open');
  checks.equal(await heading(anew.page), commented, 'the record with the comment');
  await anew.page.click('.comment.open-one button');
  await anew.page.waitForSelector('.comment:not(.open-one)', { state: 'attached' }).catch(() => null);
  await anew.page.selectOption('#by-state', '');
  await anew.page.focus('#list');
  for (let left = all; left > 0; left -= 1) {
    const [done] = await ticked(anew.page);
    if (done === all) break;
    await anew.page.keyboard.press('n');
    await anew.page.keyboard.press('x');
    await anew.page.waitForFunction((more) => Number(/all (\d+)/u.exec(document.getElementById('maps').textContent)[1]) > more, done);
  }
  checks.equal(await ticked(anew.page), [all, all], 'everything is ticked');
  await quiet(checks, anew, 'the review after the kill');
  // The page stays open: an approval does not wait for it.
  const approved = b2n(told, ['approve', told.spec, '--yes', '--by', 'ann@acme.example']);
  checks.equal(approved.code, 0, approved.out);
  checks.that(approved.out.includes(`${all} of ${all} records ticked`), approved.out);
  await anew.context.close();

  for (const colorScheme of ['light', 'dark']) {
    for (const viewport of [{ width: 1280, height: 800 }, { width: 375, height: 700 }]) {
      const one = await open(own, [again.origin], { colorScheme, viewport, bypassCSP: true });
      await one.page.goto(again.address);
      await ready(one.page);
      const name = `review, ${colorScheme}, ${viewport.width} wide`;
      await accessible(checks, one.page, name);
      await one.page.click('#keys');
      await accessible(checks, one.page, `${name}, keys`);
      const wide = await one.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      checks.that(wide <= 1, `${name}: ${wide} pixels too wide`);
      await one.context.close();
    }
  }
  await again.end('SIGINT');
}
