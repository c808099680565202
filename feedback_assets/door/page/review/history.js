// The answers that a person gave in this tab, so that the last one can be taken back after a reload.

import { ofTab } from "/review/storage.js";

const PREFIX = "feedback-assets:done:";
const MOST = 50;

export class History {
  constructor(loop, annotator) {
    this.key = `${PREFIX}${loop}:${annotator}`;
  }

  get last() {
    return this.all().at(-1);
  }

  add(id, words) {
    this.keep([...this.all(), { id, words }]);
  }

  drop() {
    this.keep(this.all().slice(0, -1));
  }

  all() {
    return JSON.parse(ofTab.getItem(this.key) ?? "[]");
  }

  keep(answers) {
    ofTab.setItem(this.key, JSON.stringify(answers.slice(-MOST)));
  }
}
