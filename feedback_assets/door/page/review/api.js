// Requests to the service, one at a time, repeated until they are answered.

import { ofTab } from "/review/storage.js";

const TOKEN = "feedback-assets:token";
const PATIENCE = [408, 425, 429];
const LONGEST_WAIT = 30;
const ANSWER_WITHIN_MS = 20_000;

export class Api {
  // trouble(words, seconds) shows why a request waits and ends with the wait;
  // signIn(words) ends when there is another token.
  constructor(loop, { trouble, calm, signIn }) {
    this.base = `/v1/${loop}/review/`;
    this.trouble = trouble;
    this.calm = calm;
    this.signIn = signIn;
  }

  // The token lives as long as this tab. No script but this page's own can read it: the page's
  // policy allows none, and nothing that comes with a row is ever read as HTML.
  set token(token) {
    if (token) ofTab.setItem(TOKEN, token);
    else ofTab.removeItem(TOKEN);
  }

  get token() {
    return ofTab.getItem(TOKEN) || "";
  }

  get(path) {
    return this.insist("GET", path, () => undefined, "The service cannot be reached");
  }

  // body() is asked before each attempt; words say what waits meanwhile.
  post(path, body, words) {
    return this.insist("POST", path, body, words);
  }

  async insist(method, path, body, words) {
    for (let attempt = 0; ; attempt += 1) {
      const reply = await this.once(method, path, body());
      if (reply && reply.status === 401) {
        this.calm();
        await this.signIn(this.token ? "This token is unknown, revoked or expired." : "");
      } else if (reply && reply.status === 403) {
        this.calm();
        await this.signIn(reply.body.detail ? `Not allowed: ${reply.body.detail}.` : "Not allowed.");
      } else if (reply && reply.status < 500 && !PATIENCE.includes(reply.status)) {
        this.calm();
        return reply;
      } else {
        const why = reply ? `${words} (the service answers ${reply.status}).` : `${words}.`;
        await this.trouble(why, Math.max(reply?.after ?? 0, Math.min(2 ** attempt, LONGEST_WAIT)));
      }
    }
  }

  // One attempt; null when no answer came.
  async once(method, path, body) {
    const headers = {};
    if (this.token) headers.authorization = `Bearer ${this.token}`;
    if (body) headers["content-type"] = "application/json";
    try {
      const answer = await fetch(this.base + path, {
        method,
        headers,
        body: body && JSON.stringify(body),
        cache: "no-store",
        credentials: "omit",
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
      const text = await answer.text();
      const after = Number(answer.headers.get("retry-after")) || 0;
      return { status: answer.status, body: parsed(text), after };
    } catch {
      return null;
    }
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {}; // a proxy's error page
  }
}
