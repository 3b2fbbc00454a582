// A list of any length: only the rows in sight are elements, and they are used again.

const ROW = 28;
const SPARE = 8;

const COLUMNS = [
  ["at", "At"], ["method", "Method"], ["path", "Path"], ["status", "Status"],
  ["result", "Result"], ["fn", "Functions"], ["size", "Size"], ["time", "Time"],
];

const element = (tag, className, attributes = {}) => {
  const made = document.createElement(tag);
  made.className = className;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};

const write = (node, text) => {
  if (node.data !== text) node.data = text;
};

/** One row's elements, made once, and how a request is written into them. */
class Row {
  constructor(cells) {
    this.root = element("div", "row", { role: "row" });
    this.cells = cells;
    this.texts = {};
    for (const [name] of COLUMNS) {
      const cell = element("span", `cell ${name}`, { role: "gridcell" });
      this.texts[name] = cell.appendChild(document.createTextNode(""));
      if (name === "path") {
        this.texts.query = cell.appendChild(element("span", "query")).appendChild(
          document.createTextNode(""),
        );
      }
      this.root.append(cell);
    }
  }

  show(item, index, isChosen) {
    if (this.index !== index) {
      this.index = index;
      this.root.style.transform = `translateY(${index * ROW}px)`;
      this.root.setAttribute("aria-rowindex", index + 2);
    }
    if (this.item !== item) {
      this.item = item;
      this.root.id = `row-${item.id}`;
      const { tone, ...texts } = this.cells(item);
      for (const [name, text] of Object.entries(texts)) write(this.texts[name], text);
      this.root.dataset.tone = tone;
      this.root.classList.toggle("fn-failed", item.functions.some((run) => run.error));
    }
    if (this.isChosen !== isChosen) {
      this.isChosen = isChosen;
      this.root.setAttribute("aria-selected", isChosen);
    }
  }
}

/** Shows `items` (oldest first) newest first. `onchoose(item, {open})`: a row was chosen. */
export class List {
  items = [];
  chosen = null;

  constructor(cells, onchoose) {
    this.onchoose = onchoose;
    this.cells = cells;
    this.root = element("div", "list", {
      role: "grid", tabindex: "0", "aria-label": "Requests, newest first", "aria-rowcount": "1",
    });
    const head = element("div", "row head", { role: "row", "aria-rowindex": "1" });
    for (const [name, title] of COLUMNS) {
      const cell = element("span", `cell ${name}`, { role: "columnheader" });
      cell.textContent = title;
      head.append(cell);
    }
    const headGroup = element("div", "heads", { role: "rowgroup" });
    headGroup.append(head);
    this.space = element("div", "space", { role: "rowgroup" });
    this.root.append(headGroup, this.space);
    this.rows = [];
    this.frame = 0;
    this.root.addEventListener("scroll", () => this.#soon(), { passive: true });
    this.root.addEventListener("click", (event) => {
      const id = event.target.closest(".space > .row")?.id;
      const item = id && this.items.find((each) => `row-${each.id}` === id);
      if (item) this.choose(item, { open: true });
    });
    this.root.addEventListener("focus", () => {
      if (!this.chosen && this.items.length) this.choose(this.items.at(-1), {});
    });
    new ResizeObserver(() => this.#soon()).observe(this.root);
  }

  /** `added`: how many of `items` are new at the end; what one reads stays where it is. */
  set(items, added) {
    this.items = items;
    if (added && this.root.scrollTop > 0) this.moved = (this.moved ?? 0) + added * ROW;
    this.#soon();
  }

  choose(item, how) {
    this.chosen = item;
    this.draw();
    this.onchoose(item, how);
  }

  /** Marks the row without telling, and brings it into sight. */
  mark(item) {
    this.chosen = item;
    this.#reveal(this.items.length - 1 - this.items.lastIndexOf(item));
    this.#soon();
  }

  /** Chooses the row that lies `by` rows below the chosen one, and brings it into sight. */
  step(by) {
    const last = this.items.length - 1;
    if (last < 0) return;
    const position = this.chosen ? this.items.lastIndexOf(this.chosen) : -1;
    const index = position < 0 ? 0 : last - position + by;
    this.#chooseAt(Math.min(Math.max(index, 0), last));
  }

  edge(isNewest) {
    if (this.items.length) this.#chooseAt(isNewest ? 0 : this.items.length - 1);
  }

  #chooseAt(index) {
    this.#reveal(index);
    this.choose(this.items[this.items.length - 1 - index], {});
  }

  #reveal(index) {
    const top = index * ROW;
    const height = this.root.clientHeight - ROW;
    const { scrollTop } = this.root;
    if (top < scrollTop) this.root.scrollTop = top;
    else if (top + ROW > scrollTop + height) this.root.scrollTop = top + ROW - height;
  }

  #soon() {
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const { items, root, rows } = this;
    const total = items.length;
    if (this.total !== total) {
      this.total = total;
      this.space.style.height = `${total * ROW}px`;
      root.setAttribute("aria-rowcount", total + 1);
    }
    if (this.moved) {
      root.scrollTop += this.moved;
      this.moved = 0;
    }
    const first = Math.max(0, Math.floor(root.scrollTop / ROW) - SPARE);
    const count = Math.min(total - first, Math.ceil(root.clientHeight / ROW) + 2 * SPARE);
    while (rows.length < count) {
      const row = new Row(this.cells);
      rows.push(row);
      this.space.append(row.root);
    }
    while (rows.length > count) rows.pop().root.remove();
    // A row keeps the index it has, modulo their number: scrolling by one rewrites one.
    for (let offset = 0; offset < count; offset += 1) {
      const index = first + offset;
      const item = items[total - 1 - index];
      rows[index % count].show(item, index, item === this.chosen);
    }
    const isChosenDrawn = this.chosen && rows.some((row) => row.item === this.chosen);
    if (isChosenDrawn) root.setAttribute("aria-activedescendant", `row-${this.chosen.id}`);
    else root.removeAttribute("aria-activedescendant");
  }
}
