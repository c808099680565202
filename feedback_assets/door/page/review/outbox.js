// Answers on their way: each is kept in the browser until the service says that it has it.

import { lasting } from "/review/storage.js";

const PREFIX = "feedback-assets:unsaved:";

export class Outbox {
  // Each answer has a place of its own, so two tabs never write over each other.
  constructor(loop, storage = lasting) {
    this.prefix = `${PREFIX}${loop}:`;
    this.storage = storage;
  }

  keep(entry) {
    try {
      this.storage.setItem(this.prefix + entry.annotation_id, JSON.stringify(entry));
    } catch {
      // A full storage: the answer is still held by the page until it is sent.
    }
  }

  drop(entry) {
    this.storage.removeItem(this.prefix + entry.annotation_id);
  }

  // Oldest first; of one annotator: nobody else's answers are ever sent under his name.
  waiting(annotator) {
    return this.all().filter((entry) => entry.annotator === annotator);
  }

  others(annotator) {
    return [...new Set(this.all().map((entry) => entry.annotator))].filter((one) => one !== annotator);
  }

  all() {
    const found = [];
    for (let place = 0; place < this.storage.length; place += 1) {
      const key = this.storage.key(place);
      if (key.startsWith(this.prefix)) found.push(parsed(this.storage.getItem(key)));
    }
    return found.filter(Boolean).sort((one, other) => one.at - other.at);
  }
}

// Null for what this page did not write: it stays, and stands in nobody's way.
function parsed(text) {
  try {
    const entry = JSON.parse(text);
    return entry?.annotation_id && entry.path && entry.body ? entry : null;
  } catch {
    return null;
  }
}

// Not randomUUID, which only some addresses have.
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
