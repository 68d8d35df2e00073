// Where records come from and words go: the server of `b2n review`, or, in a page that is a file, this browser.

class Refused extends Error {
  constructor(message, told) {
    super(message);
    this.told = told;
  }
}

class ServerStore {
  constructor() {
    this.token = new URLSearchParams(location.search).get('token') ?? '';
  }

  async ask(path, body) {
    let answer;
    try {
      answer = await fetch(path, {
        method: body ? 'POST' : 'GET',
        headers: body
          ? { 'x-b2n-token': this.token, 'content-type': 'application/json' }
          : { 'x-b2n-token': this.token },
        body: body ? JSON.stringify(body) : undefined,
        cache: 'no-store',
      });
    } catch {
      throw new Refused('the server does not answer; start `b2n review` again and open the address that it prints');
    }
    let told;
    try {
      told = await answer.json();
    } catch {
      throw new Refused(`the server's answer (${answer.status}) cannot be read`);
    }
    if (!answer.ok) throw new Refused(told.error ?? `the server refuses (${answer.status})`, told);
    return told;
  }

  head() {
    return this.ask('/api/head');
  }

  async records(from) {
    return (await this.ask(`/api/records?from=${from}`)).records;
  }

  said() {
    return this.ask('/api/said');
  }

  /** Gives what is kept of the record once it is on the disk. */
  say(word) {
    return this.ask('/api/say', word);
  }

  async file() {
    const answer = await fetch('/api/export', { headers: { 'x-b2n-token': this.token }, cache: 'no-store' });
    if (!answer.ok) throw new Refused('the ticks and comments could not be fetched; try again');
    return answer.text();
  }
}

class FileStore {
  constructor() {
    const read = (name) => [...document.querySelectorAll(`script.${name}`)].map((one) => JSON.parse(one.textContent));
    [this.top] = read('b2n-head');
    this.chunks = read('b2n-records');
    const [given] = read('b2n-said');
    this.given = given;
    this.place = `b2n-review/1 ${this.top.plan}`;
    this.kept = true;
    this.all = { marks: [...given.marks], comments: [...given.comments] };
    try {
      const there = localStorage.getItem(this.place);
      if (there) this.join(JSON.parse(there));
    } catch {
      this.kept = false;
    }
  }

  /** Of two words on the same thing the later one holds. */
  join(other) {
    for (const mark of other.marks) {
      const same = (one) => one.map === mark.map && one.key === mark.key && one.by === mark.by;
      const at = this.all.marks.findIndex(same);
      if (at < 0) this.all.marks.push(mark);
      else if (mark.at_ms > this.all.marks[at].at_ms) this.all.marks[at] = mark;
    }
    for (const comment of other.comments) {
      const at = this.all.comments.findIndex((one) => one.id === comment.id);
      if (at < 0) this.all.comments.push(comment);
      else if (comment.turned_ms > this.all.comments[at].turned_ms) this.all.comments[at] = comment;
    }
  }

  async head() {
    return this.top;
  }

  async records(from) {
    return (this.chunks.find((chunk) => chunk.from === from) ?? { records: [] }).records;
  }

  async said() {
    return { ...this.all, revisions: [] };
  }

  async say(word) {
    const name = nameOf(word.map, word.key);
    const said = new Said();
    said.take(this.all);
    const at = said.after(name, Date.now());
    const of = { map: word.map, key: word.key };
    const now = { marks: [], comments: [] };
    if (word.do === 'tick' || word.do === 'reopen') {
      now.marks.push({ ...of, by: word.by, at_ms: at, ticked: word.do === 'tick', digest: word.digest });
    } else if (word.do === 'comment') {
      const bytes = crypto.getRandomValues(new Uint8Array(12));
      const id = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
      now.comments.push({
        id, ...of, field: word.field, by: word.by, text: word.text.trim(), made_ms: at, open: true,
        turned_by: word.by, turned_ms: at,
      });
    } else {
      const there = this.all.comments.find((one) => one.id === word.comment);
      if (!there) throw new Refused('there is no such comment on this record');
      now.comments.push({ ...there, open: word.do === 'unsettle', turned_by: word.by, turned_ms: at });
    }
    // Another window of this file may have said something meanwhile.
    try {
      const there = localStorage.getItem(this.place);
      if (there) this.join(JSON.parse(there));
    } catch {
      this.kept = false;
    }
    this.join(now);
    try {
      localStorage.setItem(this.place, JSON.stringify(this.all));
    } catch {
      this.kept = false;
    }
    const mine = (one) => one.map === word.map && one.key === word.key;
    return { marks: this.all.marks.filter(mine), comments: this.all.comments.filter(mine), revisions: [] };
  }

  async file() {
    const { plan, spec } = this.given;
    const { marks, comments } = this.all;
    return JSON.stringify({ format: 'b2n-review/1', plan, spec, exported_ms: Date.now(), marks, comments }, null, 2);
  }
}
