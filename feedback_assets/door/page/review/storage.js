// What a browser keeps, for ever or for the tab; where it forbids that, for as long as the page is open.

function allowed(name) {
  try {
    const storage = window[name];
    storage.getItem(""); // some browsers refuse only now
    return storage;
  } catch {
    return new Memory();
  }
}

class Memory {
  #kept = new Map();

  get length() {
    return this.#kept.size;
  }

  key(place) {
    return [...this.#kept.keys()][place];
  }

  getItem(key) {
    return this.#kept.get(key) ?? null;
  }

  setItem(key, value) {
    this.#kept.set(key, value);
  }

  removeItem(key) {
    this.#kept.delete(key);
  }
}

export const lasting = allowed("localStorage");
export const ofTab = allowed("sessionStorage");
