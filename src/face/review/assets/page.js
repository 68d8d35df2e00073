// The page. Everything that a record says becomes a text node; nothing is ever parsed as markup.

const $ = (id) => document.getElementById(id);

/** An element with attributes, and children that are nodes or texts. */
function el(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key === 'on') made.addEventListener('click', value);
    else made.setAttribute(key, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// What is not seen, or turns the writing round: told by its number, so that nothing hides.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/u;

function plain(text) {
  const parts = [];
  let rest = text;
  for (let at = rest.search(UNSEEN); at >= 0; at = rest.search(UNSEEN)) {
    if (at > 0) parts.push(rest.slice(0, at));
    const code = rest.codePointAt(at).toString(16).toUpperCase().padStart(4, '0');
    parts.push(el('span', { class: 'sign-of' }, `U+${code}`));
    rest = rest.slice(at + 1);
  }
  if (rest) parts.push(rest);
  return parts;
}

/** The same on one line, without elements. */
const line = (text) => text.replace(new RegExp(UNSEEN, 'gu'), '\u00b7').replace(/\s+/gu, ' ');

/** A value, its writing kept apart from what stands beside it; the part that another value has not is marked. */
function value(text, other) {
  const bdi = el('bdi', { dir: 'auto' });
  const cut = other === undefined ? null : difference(text, other);
  if (!cut) bdi.append(...plain(text));
  else bdi.append(...plain(cut[0]), el('mark', {}, ...plain(cut[1])), ...plain(cut[2]));
  return bdi;
}

/** Where a text differs from another one, where most of it is the same; else nothing. */
function difference(text, other) {
  if (text === other || text.length > 2000) return null;
  const a = [...text];
  const b = [...other];
  let from = 0;
  while (from < a.length && from < b.length && a[from] === b[from]) from += 1;
  let back = 0;
  while (back < a.length - from && back < b.length - from && a[a.length - 1 - back] === b[b.length - 1 - back]) back += 1;
  if ((from + back) * 3 < a.length || from + back === a.length) return null;
  const end = a.length - back;
  return [a.slice(0, from).join(''), a.slice(from, end).join(''), a.slice(end).join('')];
}

const KINDS = {
  exact: 'the source has the same', linked: 'a link to the record that is made of it',
  changed: 'the rule makes another value of it', 'given by the rule': 'no value of the source stands in it',
  'left empty': 'the source has a value, and none is written', empty: 'neither side has a value, and an arm says so',
};

const offline = document.querySelector('script.b2n-head') !== null;
const store = offline ? new FileStore() : new ServerStore();
const said = new Said();
let head;
/** Records, each with its name, its place and what a search looks through. */
const records = [];
/** Places of the records that the filters let through. */
let found = [];
/** The place in `found` of the one that is shown. */
let at = 0;
let map = -1;
let saving = 0;
let failed = null;
const drafts = new Map();
const seenAt = new Map();

function remember(name, text) {
  try {
    sessionStorage.setItem(`b2n ${name}`, text);
  } catch {
    // A browser that keeps nothing: the draft lives as long as the page.
  }
}

function remembered(name) {
  try {
    return sessionStorage.getItem(`b2n ${name}`) ?? '';
  } catch {
    return '';
  }
}

const tell = (text) => { $('told').textContent = text; };
const place = (where) => (where.file ? `${where.file}:${where.line}` : `line ${where.line}`);
const nameIn = (record) => `${head.maps[record.map].name} ${record.key}`;
const standing = (record) => tickOf(said.marksOf(record.name), record.digest);
const chosen = () => records[found[at]];

function take(record, index) {
  const texts = [record.key, record.title, record.fate, record.decided?.reason ?? ''];
  for (const [name, text] of record.values) texts.push(name, text);
  for (const flag of record.flags) texts.push(flag.rule, flag.why);
  record.parts = new Set(record.steps.map((step) => `${step.part} (${place(step.at)})`));
  record.rules = new Set(record.steps.map((step) => place(step.at)));
  if (record.decided?.at) record.rules.add(place(record.decided.at));
  record.kinds = new Set();
  record.fidelities = new Set();
  for (const field of record.fields) {
    texts.push(field.field, field.value ?? '');
    for (const [name, text] of field.source) texts.push(name, text);
    for (const step of field.steps) {
      record.parts.add(`${step.part} (${place(step.at)})`);
      record.rules.add(place(step.at));
    }
    for (const rule of field.rules) {
      record.rules.add(place(head.rules[rule].at));
      record.fidelities.add(head.rules[rule].fidelity);
    }
    record.kinds.add(field.kind);
  }
  record.text = texts.join('\n').toLowerCase();
  record.name = nameOf(head.maps[record.map].name, record.key);
  record.at = index;
  return record;
}

// ── The list: only the rows that are seen stand in the page.

let rowHeight = 0;
const rows = new Map();
const spare = [];

const SIGNS = { yes: '\u2713', stale: '\u21bb', no: '\u00a0' };
const SIGN_WORDS = { yes: 'ticked', stale: 'changed since it was ticked', no: 'not ticked' };

/** Says in a row what its record is and how it stands; a row that scrolls out is used again. */
function fill(row, index) {
  const record = records[found[index]];
  const state = standing(record);
  const open = said.openOf(record.name);
  row.id = `row-${record.at}`;
  row.setAttribute('aria-selected', String(index === at));
  row.setAttribute('aria-posinset', String(index + 1));
  row.setAttribute('aria-setsize', String(found.length));
  row.dataset.index = String(index);
  const [sign, name, more] = row.children;
  sign.className = `sign ${state}`;
  sign.textContent = SIGNS[state];
  sign.setAttribute('aria-label', SIGN_WORDS[state]);
  name.textContent = line(`${nameIn(record)}${record.title ? ` \u2013 ${record.title.slice(0, 120)}` : ''}`);
  const comments = open === 0 ? '' : ` \u00b7 ${open} open comment${open > 1 ? 's' : ''}`;
  more.textContent = `${record.fate}${state === 'stale' ? ' \u00b7 changed since' : ''}${comments}`;
  row.style.transform = `translateY(${index * rowHeight}px)`;
}

function newRow() {
  const row = el('div', { role: 'option', class: 'row' },
    el('span', { class: 'sign', role: 'img' }), el('span', { dir: 'auto' }), el('span', { class: 'soft' }));
  return row;
}

function paint() {
  const list = $('list');
  if (rowHeight === 0) {
    const probe = newRow();
    $('space').append(probe);
    rowHeight = probe.offsetHeight || 48;
    probe.remove();
  }
  $('space').style.height = `${found.length * rowHeight}px`;
  const first = Math.max(0, Math.floor(list.scrollTop / rowHeight) - 4);
  const last = Math.min(found.length, Math.ceil((list.scrollTop + list.clientHeight) / rowHeight) + 4);
  for (const [index, row] of rows) {
    if (index < first || index >= last) {
      rows.delete(index);
      spare.push(row);
    }
  }
  for (let index = first; index < last; index += 1) {
    let row = rows.get(index);
    if (!row) {
      row = spare.pop() ?? $('space').appendChild(newRow());
      row.hidden = false;
      rows.set(index, row);
    }
    fill(row, index);
  }
  for (const row of spare) {
    row.hidden = true;
    row.id = '';
  }
  if (found.length > 0 && rows.has(at)) list.setAttribute('aria-activedescendant', `row-${found[at]}`);
  else list.removeAttribute('aria-activedescendant');
}

function reveal() {
  const list = $('list');
  const top = at * rowHeight;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + rowHeight > list.scrollTop + list.clientHeight) list.scrollTop = top + rowHeight - list.clientHeight;
}

// ── Filters.

const FILTERS = ['state', 'fate', 'kind', 'fidelity', 'rule', 'arm'];
const STATES = [['', 'all'], ['no', 'not ticked'], ['yes', 'ticked'], ['stale', 'changed since'], ['open', 'open comments']];

function options(id, pairs) {
  const select = $(id);
  const before = select.value;
  select.replaceChildren(...pairs.map(([code, text]) => el('option', { value: code }, text)));
  select.value = pairs.some(([code]) => code === before) ? before : '';
}

function offer() {
  const all = (pick) => {
    const texts = new Set();
    for (const record of records) if (map < 0 || record.map === map) for (const text of pick(record)) texts.add(text);
    const sorted = [...texts].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    return [['', 'all'], ...sorted.map((text) => [text, text.length > 60 ? `${text.slice(0, 60)}\u2026` : text])];
  };
  options('by-state', STATES);
  options('by-fate', all((record) => [record.fate]));
  options('by-kind', all((record) => record.kinds));
  options('by-fidelity', all((record) => record.fidelities));
  options('by-rule', all((record) => record.rules));
  options('by-arm', all((record) => record.parts));
}

function sift(keep) {
  const before = keep ?? chosen()?.at;
  const by = Object.fromEntries(FILTERS.map((name) => [name, $(`by-${name}`).value]));
  const words = $('search').value.toLowerCase().split(/\s+/u).filter(Boolean);
  found = [];
  for (const record of records) {
    if (map >= 0 && record.map !== map) continue;
    if (by.fate && record.fate !== by.fate) continue;
    if (by.kind && !record.kinds.has(by.kind)) continue;
    if (by.fidelity && !record.fidelities.has(by.fidelity)) continue;
    if (by.rule && !record.rules.has(by.rule)) continue;
    if (by.arm && !record.parts.has(by.arm)) continue;
    if (by.state === 'open' ? said.openOf(record.name) === 0 : by.state && standing(record) !== by.state) continue;
    if (!words.every((word) => record.text.includes(word))) continue;
    found.push(record.at);
  }
  at = Math.max(0, found.indexOf(before));
  for (const row of rows.values()) spare.push(row);
  rows.clear();
  $('count').textContent = `${found.length} of ${records.length} records`;
  paint();
  reveal();
  paint();
  show();
}

// ── One record.

function steps(list) {
  return list.map((step) => el('p', { class: 'soft' }, el('bdi', {}, ...plain(step.part)), ` at ${place(step.at)}`));
}

function fieldRow(field) {
  const rules = field.rules.map((index) => head.rules[index]);
  const single = field.source.length === 1 && field.kind === 'changed' ? field.source[0][1] : undefined;
  const sources = el('ul', {}, ...field.source.map(([name, text]) =>
    el('li', {}, el('span', { class: 'soft' }, el('bdi', {}, ...plain(name)), ' '), value(text, field.kind === 'changed' ? field.value ?? undefined : undefined))));
  const differs = field.kind === 'changed' || field.kind === 'left empty';
  const fidelities = [...new Set(rules.map((rule) => rule.fidelity))].join(', ');
  const because = [...new Set(rules.map((rule) => rule.because).filter(Boolean))];
  return el('tr', { role: 'row', class: differs ? 'differs' : undefined },
    el('th', { role: 'rowheader', scope: 'row' }, el('bdi', {}, ...plain(field.field))),
    el('td', { role: 'cell', 'data-label': 'source' }, field.source.length ? sources : el('span', { class: 'soft' }, 'nothing')),
    el('td', { role: 'cell', 'data-label': 'rule' },
      ...rules.map((rule) => el('p', {}, el('span', { class: 'soft' }, `${place(rule.at)} `), el('code', {}, ...plain(rule.at.text)))),
      ...(rules.length ? [] : [el('span', { class: 'soft' }, 'b2n\u2019s own')]), ...steps(field.steps)),
    el('td', { role: 'cell', 'data-label': 'destination' },
      field.value === null ? el('span', { class: 'soft' }, 'nothing') : value(field.value, single)),
    el('td', { role: 'cell', 'data-label': 'kind and fidelity' },
      el('p', { class: 'kind', title: KINDS[field.kind] }, `${differs ? '\u2260 ' : ''}${field.kind}`),
      el('p', { class: 'soft' }, fidelities),
      ...because.map((why) => el('p', { class: 'soft' }, 'because ', el('bdi', {}, ...plain(why))))));
}

function when(ms) {
  return new Date(ms).toISOString().slice(0, 16).replace('T', ' ') + ' UTC';
}

function commentBox(record, comment) {
  const turn = () => say(record, { do: comment.open ? 'settle' : 'unsettle', comment: comment.id });
  const turned = comment.turned_ms > comment.made_ms
    ? el('p', { class: 'soft' }, comment.open ? 'opened again by ' : 'settled by ', el('bdi', {}, ...plain(comment.turned_by)), `, ${when(comment.turned_ms)}`)
    : null;
  return el('div', { class: comment.open ? 'comment open-one' : 'comment' },
    el('p', { class: 'soft' }, el('bdi', {}, ...plain(comment.by)), `, ${when(comment.made_ms)}`,
      ...(comment.field ? [', on ', el('bdi', {}, ...plain(comment.field))] : []), comment.open ? ': open' : ': settled'),
    el('p', {}, value(comment.text)), turned,
    el('button', { type: 'button', on: turn }, comment.open ? 'Settle' : 'Open again'));
}

function show() {
  const detail = $('detail');
  const record = chosen();
  if (!record) {
    detail.replaceChildren(el('p', {}, records.length ? 'no record fits these filters' : 'nothing is shown yet'));
    return;
  }
  const where = head.maps[record.map];
  const state = standing(record);
  seenAt.set(record.name, said.revisionOf(record.name));
  const marks = said.marksOf(record.name);
  const ticks = marks.map((mark) => el('p', { class: 'soft' },
    `${mark.ticked ? 'ticked' : 'reopened'} by `, el('bdi', {}, ...plain(mark.by)), `, ${when(mark.at_ms)}`,
    mark.ticked && mark.digest !== record.digest ? '; its values have changed since' : ''));
  const tick = el('button', { type: 'button', id: 'tick', 'aria-pressed': String(state === 'yes'), 'aria-keyshortcuts': 'x',
    on: () => say(record, { do: state === 'yes' ? 'reopen' : 'tick' }) }, state === 'yes' ? 'Ticked: reopen (x)' : 'Tick (x)');
  const decided = record.decided
    ? el('p', {}, `${record.fate}: `, value(record.decided.reason),
      record.decided.at ? el('span', { class: 'soft' }, ` (${place(record.decided.at)}) `) : null,
      record.decided.at ? el('code', {}, ...plain(record.decided.at.text)) : null)
    : null;
  const table = record.fields.length === 0 ? null : el('table', { role: 'table' },
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...['field', 'source', 'rule', 'destination', 'kind and fidelity'].map(
      (name) => el('th', { role: 'columnheader', scope: 'col' }, name)))),
    el('tbody', { role: 'rowgroup' }, ...record.fields.map(fieldRow)));
  const values = record.values.length === 0 ? null : el('table', { role: 'table' },
    el('thead', { role: 'rowgroup' }, el('tr', { role: 'row' }, ...['source field', 'value'].map(
      (name) => el('th', { role: 'columnheader', scope: 'col' }, name)))),
    el('tbody', { role: 'rowgroup' }, ...record.values.map(([name, text]) => el('tr', { role: 'row' },
      el('th', { role: 'rowheader', scope: 'row' }, el('bdi', {}, ...plain(name))), el('td', { role: 'cell', 'data-label': 'value' }, value(text))))));
  const about = el('select', { id: 'comment-field' }, el('option', { value: '' }, 'the record'),
    ...record.fields.map((field) => el('option', { value: field.field }, line(field.field))));
  const box = el('textarea', { id: 'comment-text', maxlength: '4000', dir: 'auto' });
  box.value = drafts.get(record.name) ?? remembered(record.name);
  box.addEventListener('input', () => { drafts.set(record.name, box.value); remember(record.name, box.value); });
  const comment = () => say(record, { do: 'comment', field: about.value, text: box.value });
  box.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); comment(); }
  });
  const dropped = where.dropped.length === 0 ? null : el('details', {},
    el('summary', {}, `${where.dropped.length} source fields are left behind by every record of ${where.name}`),
    el('ul', {}, ...where.dropped.map((one) => el('li', {}, el('bdi', {}, ...plain(one.field)), ': ', el('bdi', {}, ...plain(one.reason)), ` (${place(one.at)})`))));
  detail.replaceChildren(...[
    el('h2', { dir: 'auto' }, line(nameIn(record) + (record.title ? ` \u2013 ${record.title.slice(0, 200)}` : ''))),
    el('p', { class: 'soft' }, `${where.source} ${record.key}`, where.object ? ` \u2192 ${where.object}, ${record.fate}` : `, ${record.fate}`),
    ...steps(record.steps), decided,
    ...record.flags.map((flag) => el('p', { class: 'open' }, 'to look at: ', el('bdi', {}, ...plain(`${flag.rule}: ${flag.why}`)))),
    el('div', { class: 'line' }, tick, el('span', { class: state }, SIGN_WORDS[state])), ...ticks, table, values, dropped,
    el('h3', {}, 'Comments'), ...said.commentsOf(record.name).map((one) => commentBox(record, one)),
    el('label', {}, 'about ', about), el('label', { for: 'comment-text', class: 'hidden' }, 'comment'), box,
    el('button', { type: 'button', id: 'comment', on: comment }, 'Comment (Ctrl Enter)'),
  ].filter(Boolean));
  history.replaceState(null, '', `#${encodeURIComponent(where.name)}/${encodeURIComponent(record.key)}`);
}

function go(to) {
  if (found.length === 0) return;
  const before = at;
  at = Math.max(0, Math.min(found.length - 1, to));
  reveal();
  paint();
  if (at !== before) {
    show();
    $('detail').scrollTop = 0;
  }
  tell(`${nameIn(chosen())}, ${SIGN_WORDS[standing(chosen())]}, ${at + 1} of ${found.length}`);
}

function nextOpen() {
  for (let step = 1; step <= found.length; step += 1) {
    const index = (at + step) % found.length;
    if (standing(records[found[index]]) !== 'yes') { go(index); return; }
  }
  tell('every record here is ticked');
}

// ── Words.

const progress = new Map();

function maps() {
  const nav = $('maps');
  const counts = head.maps.map(() => ({ shown: 0, ticked: 0 }));
  const whole = { shown: 0, ticked: 0 };
  for (const record of records) {
    const ticked = standing(record) === 'yes' ? 1 : 0;
    for (const count of [counts[record.map], whole]) { count.shown += 1; count.ticked += ticked; }
  }
  const one = (index, name, count, more) => {
    let parts = progress.get(index);
    if (!parts) {
      const text = el('span', {});
      const bar = el('progress', { 'aria-label': `${name}, ticked` });
      const button = el('button', { type: 'button', on: () => { map = index; offer(); maps(); sift(); } }, text, bar);
      parts = { text, bar, button };
      progress.set(index, parts);
      nav.append(button);
    }
    parts.text.textContent = `${name} ${count.ticked}/${count.shown}`;
    parts.button.title = more;
    parts.bar.max = Math.max(1, count.shown);
    parts.bar.value = count.ticked;
    parts.button.setAttribute('aria-pressed', String(map === index));
  };
  one(-1, 'all', whole, `${whole.shown} records are shown`);
  head.maps.forEach((where, index) => one(index, where.name, counts[index],
    `${where.records} records are staged; ${where.parts} arms and rows of the plan are reached, each is shown`));
}

function status() {
  const place = $('saved');
  const keeps = offline && !store.kept ? '; this browser keeps nothing: download before closing' : '';
  place.classList.toggle('bad', failed !== null);
  $('again').hidden = failed === null || failed.word === undefined;
  if (failed !== null) place.textContent = `not saved: ${failed.why}`;
  else if (saving > 0) place.textContent = 'saving\u2026';
  else place.textContent = offline ? `kept in this browser; download what you said when you are done${keeps}` : place.dataset.last ?? 'everything is saved';
}

function person() {
  return $('person').value.trim();
}

async function say(record, word) {
  if (!person()) {
    failed = { why: 'type a name into `reviewer` first' };
    status();
    $('person').focus();
    return;
  }
  const name = head.maps[record.map].name;
  const sent = { map: name, key: record.key, seen: seenAt.get(record.name) ?? 0, by: person(), digest: record.digest, ...word };
  saving += 1;
  failed = null;
  status();
  try {
    const told = await store.say(sent);
    said.take(told, record.name);
    $('saved').dataset.last = `saved ${new Date().toISOString().slice(11, 19)} UTC`;
    if (word.do === 'comment') {
      drafts.delete(record.name);
      remember(record.name, '');
    }
    channel?.postMessage({ name: record.name, told });
    tell(`${nameIn(record)}: saved, ${SIGN_WORDS[standing(record)]}`);
  } catch (error) {
    if (error.told?.marks) {
      said.take(error.told, record.name);
      failed = { why: error.message };
    } else {
      failed = { why: error.message, word, record };
    }
    tell(`not saved: ${error.message}`);
  }
  saving -= 1;
  status();
  refresh(record);
}

/** Shows what has changed, and keeps the focus where it was. */
function refresh(record) {
  const focused = document.activeElement?.id;
  maps();
  paint();
  if (chosen() === record) show();
  if (['tick', 'comment', 'comment-text'].includes(focused)) $(focused)?.focus();
  else if (document.activeElement === document.body) $('list').focus();
}

let channel = null;
if (!offline && 'BroadcastChannel' in window) {
  channel = new BroadcastChannel('b2n-review');
  channel.onmessage = ({ data }) => {
    const record = records.find((one) => one.name === data.name);
    // What this window shows stays the revision that it answers to, until it is shown.
    if (record) { said.take(data.told, data.name); if (chosen() !== record || !drafts.get(record.name)) refresh(record); }
  };
}

async function download() {
  try {
    const text = await store.file();
    const link = el('a', { download: 'b2n-review.json', href: URL.createObjectURL(new Blob([text], { type: 'application/json' })) });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  } catch (error) {
    failed = { why: error.message };
    status();
  }
}

// ── Keys.

const KEYS = {
  j: () => go(at + 1),
  k: () => go(at - 1),
  n: nextOpen,
  x: () => $('tick')?.click(),
  c: () => $('comment-text')?.focus(),
  '/': () => $('search').focus(),
  '?': () => $('help').showModal(),
};

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || $('help').open) return;
  const target = event.target;
  if (event.key === 'Escape' && target.matches('input, textarea, select, #detail *')) { $('list').focus(); return; }
  if (target.matches('input, textarea, select')) return;
  if (target === $('list')) {
    const page = Math.max(1, Math.floor($('list').clientHeight / rowHeight) - 1);
    const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: found.length - 1, PageDown: at + page, PageUp: at - page };
    if (event.key in moves) { event.preventDefault(); go(moves[event.key]); return; }
    if (event.key === 'Enter') { $('detail').focus(); return; }
  }
  if (event.key in KEYS) { event.preventDefault(); KEYS[event.key](); }
});

$('list').addEventListener('scroll', () => requestAnimationFrame(paint), { passive: true });
$('list').addEventListener('click', (event) => {
  const row = event.target.closest('.row');
  if (row) go(Number(row.dataset.index));
});
window.addEventListener('resize', () => { rowHeight = 0; paint(); });
$('filters').addEventListener('input', () => sift());
$('filters').addEventListener('submit', (event) => { event.preventDefault(); $('list').focus(); });
$('filters').addEventListener('reset', () => setTimeout(() => sift(), 0));
$('keys').addEventListener('click', () => $('help').showModal());
$('download').addEventListener('click', download);
$('again').addEventListener('click', () => { if (failed?.word) say(failed.record, failed.word); });
$('person').addEventListener('input', () => { remember('person', person()); if (failed && !failed.word) { failed = null; status(); } });
window.addEventListener('beforeunload', (event) => { if (saving > 0 || failed?.word) event.preventDefault(); });

async function begin() {
  head = await store.head();
  $('spec').textContent = line(head.spec);
  document.title = `Review of ${line(head.spec)}`;
  $('about').textContent = line(`plan ${head.plan.slice(0, 12)}, ${head.source.account} to ${head.target.account}. ${head.books.text}`);
  $('person').value = head.person || remembered('person');
  said.take(await store.said());
  for (let from = 0; from < head.records; from += head.chunk) {
    const chunk = await store.records(from);
    for (const record of chunk) records.push(take(record, records.length));
    $('count').textContent = `${records.length} of ${head.records} records`;
    // Let the browser breathe between two loads.
    await new Promise((done) => setTimeout(done, 0));
  }
  const [wanted, key] = location.hash.slice(1).split('/').map(decodeURIComponent);
  const first = records.find((record) => record.name === nameOf(wanted ?? '', key ?? ''));
  offer();
  maps();
  sift(first?.at ?? 0);
  status();
  $('list').focus({ preventScroll: true });
  document.body.dataset.ready = 'yes';
}

begin().catch((error) => {
  failed = { why: '' };
  $('saved').classList.add('bad');
  $('saved').textContent = error.message;
});
