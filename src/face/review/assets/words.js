// What people's words come to. The same rules stand in the program, which has the last word when a plan is approved.

const nameOf = (map, key) => `${map}\n${key}`;

/** How a record stands by the marks on it: 'yes', 'stale' or 'no'. */
function tickOf(marks, digest) {
  const reopened = Math.max(-1, ...marks.filter((mark) => !mark.ticked).map((mark) => mark.at_ms));
  const standing = marks.filter((mark) => mark.ticked && mark.at_ms > reopened);
  if (standing.some((mark) => mark.digest === digest)) return 'yes';
  return standing.length > 0 ? 'stale' : 'no';
}

/** Everything that was said, by record. */
class Said {
  constructor() {
    this.marks = new Map();
    this.comments = new Map();
    this.revisions = new Map();
  }

  /** Takes what a server or a file tells; of the records that it speaks of, it is the whole truth. */
  take(told, only) {
    if (only) {
      this.marks.delete(only);
      this.comments.delete(only);
    }
    for (const mark of told.marks) {
      const name = nameOf(mark.map, mark.key);
      if (!this.marks.has(name)) this.marks.set(name, []);
      this.marks.get(name).push(mark);
    }
    for (const comment of told.comments) {
      const name = nameOf(comment.map, comment.key);
      if (!this.comments.has(name)) this.comments.set(name, []);
      this.comments.get(name).push(comment);
    }
    for (const [map, key, revision] of told.revisions ?? []) this.revisions.set(nameOf(map, key), revision);
  }

  marksOf(name) {
    return this.marks.get(name) ?? [];
  }

  commentsOf(name) {
    return this.comments.get(name) ?? [];
  }

  revisionOf(name) {
    return this.revisions.get(name) ?? 0;
  }

  openOf(name) {
    return this.commentsOf(name).filter((comment) => comment.open).length;
  }

  /** Later than every earlier word on a record, whatever this machine's clock says. */
  after(name, now) {
    let latest = now;
    for (const mark of this.marksOf(name)) latest = Math.max(latest, mark.at_ms + 1);
    for (const one of this.commentsOf(name)) latest = Math.max(latest, one.made_ms + 1, one.turned_ms + 1);
    return latest;
  }
}
