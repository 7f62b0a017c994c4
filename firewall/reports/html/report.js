"use strict";
// The table of connections: search, filters, order and pages over columns that stand in the page as JSON.
// Everything is written with textContent: no text of a capture or a rule file becomes markup.
(() => {
  const source = document.getElementById("connections-data");
  if (!source) return;
  const data = JSON.parse(source.textContent);
  const { words, columns, total, texts } = data;
  const at = (id) => document.getElementById(id);
  const body = at("connections-body");
  const thousands = (number) => String(number).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  // --- what a cell says ---------------------------------------------------------------------------------------
  const word = (name, row) => words[name][columns[name][row]] ?? "";
  const two = (number) => String(number).padStart(2, "0");

  function clock(microseconds) {
    if (data.clock === "seconds") return (microseconds / 1e6).toFixed(6);
    const milliseconds = Math.floor(microseconds / 1000);
    const fraction = String(microseconds - Math.floor(microseconds / 1e6) * 1e6).padStart(6, "0");
    const date = new Date(milliseconds);
    const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}.${fraction}`;
    if (data.clock === "time") return time;
    return `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())} ${time}`;
  }

  function length(microseconds) {
    const all = microseconds / 1e6;
    if (all < 120) return `${all.toFixed(3)} s`;
    const seconds = Math.round(all);
    const parts = [
      [Math.floor(seconds / 86400), "d"], [Math.floor(seconds / 3600) % 24, "h"],
      [Math.floor(seconds / 60) % 60, "min"], [seconds % 60, "s"],
    ];
    return parts.filter(([amount]) => amount).map(([amount, unit]) => `${amount} ${unit}`).join(" ");
  }

  function end(side, row) {
    const address = word(side, row);
    const port = columns[`${side}_port`][row];
    if (port < 0 || columns.icmp[row]) return address;
    return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  }

  function protocol(row) {
    const name = word("protocol", row);
    return columns.icmp[row] ? `${name} ${columns.src_port[row]}/${columns.dst_port[row]}` : name;
  }

  const CELLS = {
    eni: (row) => word("eni", row),
    flow: (row) => thousands(columns.flow[row]),
    src: (row) => end("src", row),
    dst: (row) => end("dst", row),
    protocol,
    time: (row) => clock(data.start + columns.time[row]),
    packet: (row) => (words.capture.length > 1 ? `${word("capture", row)}:` : "") + columns.packet[row],
    duration: (row) => length(columns.duration[row]),
    rule: (row) => word("rule", row),
    sent: (row) => thousands(columns.sent[row]),
    sent_bytes: (row) => thousands(columns.sent_bytes[row]),
    received: (row) => thousands(columns.received[row]),
    received_bytes: (row) => thousands(columns.received_bytes[row]),
    denied: (row) => thousands(columns.denied[row]),
    state: (row) => word("state", row),
    history: (row) => word("history", row),
  };
  const heads = [...document.querySelectorAll("#connections-table thead th")];
  const names = heads.map((head) => head.dataset.column);
  const numeric = heads.map((head) => head.classList.contains("number"));

  // --- order ---------------------------------------------------------------------------------------------------
  // Words are ordered by their place among the sorted words, so that rows compare as numbers.
  const ranks = {};
  function rank(name) {
    if (!ranks[name]) {
      const order = words[name].map((_, place) => place);
      order.sort((a, b) => String(words[name][a] ?? "").localeCompare(String(words[name][b] ?? ""), "en", { numeric: true }));
      ranks[name] = new Int32Array(order.length);
      order.forEach((place, position) => { ranks[name][place] = position; });
    }
    return ranks[name];
  }
  function comparing(name) {
    if (name === "src" || name === "dst") {
      const places = rank(name);
      const ports = columns[`${name}_port`];
      return (a, b) => places[columns[name][a]] - places[columns[name][b]] || ports[a] - ports[b];
    }
    if (name === "packet") {
      return (a, b) => columns.capture[a] - columns.capture[b] || columns.packet[a] - columns.packet[b];
    }
    if (name in words) {
      const places = rank(name);
      return (a, b) => places[columns[name][a]] - places[columns[name][b]];
    }
    return (a, b) => columns[name][a] - columns[name][b];
  }

  // --- what is shown -------------------------------------------------------------------------------------------
  const search = at("connections-search");
  const size = at("connections-size");
  const filters = [...document.querySelectorAll("[data-filter]")];
  let shown = Int32Array.from({ length: total }, (_, row) => row);
  let page = 0;
  let sorted = null;
  let descending = false;
  let haystacks = null;

  function haystack(row) {
    haystacks ??= new Array(total);
    haystacks[row] ??= names.map((name) => CELLS[name](row)).join(" ").toLowerCase();
    return haystacks[row];
  }

  function choose() {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = filters.filter((each) => each.value !== "").map((each) => [columns[each.dataset.filter], Number(each.value)]);
    const found = [];
    for (let row = 0; row < total; row += 1) {
      if (chosen.every(([column, value]) => column[row] === value) && wanted.every((each) => haystack(row).includes(each))) {
        found.push(row);
      }
    }
    shown = Int32Array.from(found);
    if (sorted) {
      const compare = comparing(sorted);
      shown.sort((a, b) => (descending ? compare(b, a) : compare(a, b)) || a - b);
    }
    page = 0;
    draw();
  }

  const pages = () => Math.max(1, Math.ceil(shown.length / Number(size.value)));
  function draw() {
    const first = page * Number(size.value);
    const rows = shown.subarray(first, first + Number(size.value));
    const lines = document.createDocumentFragment();
    for (const row of rows) {
      const line = document.createElement("tr");
      names.forEach((name, place) => {
        const cell = document.createElement("td");
        cell.className = numeric[place] ? "number" : "keep mono";
        cell.textContent = CELLS[name](row);
        line.append(cell);
      });
      lines.append(line);
    }
    body.replaceChildren(lines);
    const values = { first: thousands(first + 1), last: thousands(first + rows.length), found: thousands(shown.length), total: thousands(total) };
    at("connections-status").textContent = fill(texts.found_of, values);
    at("connections-place").textContent = shown.length ? fill(texts.shown, values) : texts.shown_none;
    at("page-first").disabled = at("page-previous").disabled = page === 0;
    at("page-next").disabled = at("page-last").disabled = page >= pages() - 1;
  }

  // --- what a reader does ----------------------------------------------------------------------------------------
  let waiting = 0;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(choose, 150); });
  filters.forEach((each) => each.addEventListener("change", choose));
  size.addEventListener("change", () => { page = 0; draw(); });
  at("connections-clear").addEventListener("click", () => {
    search.value = "";
    filters.forEach((each) => { each.value = ""; });
    choose();
    search.focus();
  });
  const turn = (id, where) => at(id).addEventListener("click", () => { page = where(); draw(); });
  turn("page-first", () => 0);
  turn("page-previous", () => Math.max(0, page - 1));
  turn("page-next", () => Math.min(pages() - 1, page + 1));
  turn("page-last", () => pages() - 1);
  heads.forEach((head) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.title = fill(texts.sort_hint, { column: head.textContent });
    button.textContent = head.textContent;
    button.addEventListener("click", () => {
      const name = head.dataset.column;
      descending = sorted === name ? !descending : head.classList.contains("number");
      sorted = name;
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      choose();
    });
    head.replaceChildren(button);
  });
  document.querySelectorAll(".needs-script").forEach((each) => { each.hidden = false; });
  draw();
})();
