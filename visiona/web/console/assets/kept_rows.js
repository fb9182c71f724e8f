// A list whose rows are made anew only where what they show is another: the focus stays, what was opened stays open.

import { h } from "./dom.js";

export class KeptRows {
  /** `make(item)` makes the element of an item; items are told apart by `key(item)`. */
  constructor(element, make, key = (item) => item.id) {
    this.element = element;
    this.make = make;
    this.key = key;
    this.rows = new Map();
  }

  show(items) {
    const rows = new Map();
    for (const item of items) {
      const text = JSON.stringify(item);
      const before = this.rows.get(this.key(item));
      rows.set(this.key(item), before?.text === text ? before : { text, element: this.make(item) });
    }
    const focused = this.element.contains(document.activeElement) ? document.activeElement : null;
    const place = focused && this.placeOf(focused);
    this.rows = rows;
    const wanted = [...rows.values()].map((row) => row.element);
    const isSame = wanted.length === this.element.children.length && wanted.every((one, index) => one === this.element.children[index]);
    if (isSame) return;
    this.element.replaceChildren(...wanted);
    if (focused?.isConnected) focused.focus();
    else if (place) this.focusables(rows.get(place.key)?.element)[place.index]?.focus();
  }

  placeOf(focused) {
    for (const [key, row] of this.rows) {
      if (row.element.contains(focused)) return { key, index: this.focusables(row.element).indexOf(focused) };
    }
    return null;
  }

  focusables(element) {
    return [...(element ?? h("i")).querySelectorAll("a[href], button, select, summary")];
  }
}
