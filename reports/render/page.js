"use strict";
// The one script of a page. It reads numbers and words from attributes, and writes them as numbers and as text only.
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const NS = "http://www.w3.org/2000/svg";
  all(".onscript").forEach((part) => { part.hidden = false; });

  // Ways: the links of each journey in order, as "3+" from the first end on or "3-" the other way; "?" missed, "!" odd.
  const words = (text) => (text ? text.split(" ") : []);
  const ways = all(".route").map(({ dataset }) => ({
    links: words(dataset.links).map((part) => [parseInt(part, 10), part.includes("+"), part.endsWith("?"), part.endsWith("!")]),
    tunnels: words(dataset.tunnels), leg: dataset.leg, fault: dataset.fault,
  }));
  const made = (name, attributes, text) => {
    const element = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  // The link's line, moved to the right of whoever follows it, so that out and back lie apart.
  const beside = (line, forward, by) => {
    const length = line.getTotalLength(), points = [];
    for (let at = 0; at <= 8; at += 1) points.push(line.getPointAtLength(length * (forward ? at : 8 - at) / 8));
    return points.map((point, at) => {
      const before = points[Math.max(at - 1, 0)], after = points[Math.min(at + 1, 8)];
      const x = after.x - before.x, y = after.y - before.y, size = Math.hypot(x, y) || 1;
      return [point.x - y / size * by, point.y + x / size * by];
    });
  };
  const hop = ([lit, numbers], line, forward, leg, number) => {
    const points = beside(line, forward, 5);
    const path = made("path", { class: `way ${leg}`, d: `M${points.map((p) => p.join(" ")).join("L")}` });
    path.style.animationDelay = `${number * 0.12}s`;
    const [x, y] = points[4], [u, v] = points[5], turn = Math.atan2(v - y, u - x) * 180 / Math.PI;
    const arrow = made("path", { class: `head ${leg}`, d: "M7 0L-5 -5V5Z", transform: `translate(${x} ${y}) rotate(${turn})` });
    const count = beside(line, forward, 15)[4];
    lit.append(path, arrow);
    numbers.append(made("text", { class: `number ${leg}`, x: count[0], y: count[1] + 4 }, number + 1));
  };
  const centre = (pane, mark) => {
    if (mark) pane.scrollLeft += mark.getBoundingClientRect().left - pane.getBoundingClientRect().left - pane.clientWidth / 2;
  };
  const light = (figure, numbers) => {
    const lit = [".lit", ".lit-numbers"].map((part) => figure.querySelector(part));
    lit.forEach((part) => part.replaceChildren());
    figure.classList.toggle("chosen-one", numbers.length > 0);
    all(".on", figure).forEach((part) => part.classList.remove("on"));
    const legs = {};
    let broken = false;
    const of = (kind, number) => figure.querySelector(`.${kind}[data-n="${Number(number)}"]`);
    for (const way of numbers.map((number) => ways[number]).filter(Boolean)) {
      way.links.forEach(([number, forward, missed, odd], at) => {
        const line = of("link", number);
        if (!line) return;
        if (!missed) line.classList.add("on");
        hop(lit, line, forward, missed ? "miss" : way.leg, at);
        const leg = legs[way.leg] ??= { way: new Set(), crossed: new Set(), odd: new Set() };
        (odd ? leg.odd : leg.way).add(number);
        if (!missed && !odd) leg.crossed.add(number);
      });
      way.tunnels.forEach((number) => of("tunnel", number)?.classList.add("on"));
      if (way.fault !== "") { of("fault", way.fault)?.classList.add("on"); broken = true; }
    }
    centre(figure.querySelector(".map"), [".fault.on", ".node.cause"].map((part) => figure.querySelector(part)).find(Boolean));
    all(".onlit", figure).forEach((part) => { part.hidden = !numbers.length; });
    const counts = Object.entries(legs).map(([name, { way, crossed, odd }]) => (
      `${name}: seen on ${crossed.size} of the ${way.size} links of its path${odd.size ? ` and on ${odd.size} beside it` : ""}`));
    const said = [...counts, ...(broken ? ["the cross marks the first difference"] : [])].join("; ");
    return said && `${said[0].toUpperCase()}${said.slice(1)}.`;
  };

  const home = document.querySelector("#fabric .fabric");
  const numbersOf = (test) => words(test.dataset.ways).map(Number);
  const choose = (test) => {
    all(".profile .frame", test).forEach((mark) => centre(mark.closest(".scroll"), mark));
    if (!home) return;
    all(".test.chosen").forEach((other) => other.classList.remove("chosen"));
    test.classList.add("chosen");
    const numbers = numbersOf(test), title = test.querySelector(".promise").textContent;
    const said = light(home, numbers);
    home.querySelector(".chosen").textContent = numbers.length ? `Lit: ${title} ${said}` : `${title} No journey of its own.`;
    if (!numbers.length || test.querySelector(".fabric")) return;
    const copy = home.cloneNode(true);  // its own picture beside its ladder
    copy.querySelector(".chosen").removeAttribute("role");
    copy.querySelector(".chosen").textContent = said;
    (test.querySelector(".body > .leg") ?? test.querySelector(".body").lastElementChild).before(copy);
    light(copy, numbers);
  };
  // The browser also tells, at any time, of what was open from the beginning: that is no choice of the reader's.
  const open = new Set(all(".test[open]"));
  all(".test").forEach((test) => test.addEventListener("toggle", () => {
    if (test.open === open.has(test)) return;
    open[test.open ? "add" : "delete"](test);
    if (test.open) choose(test);
    else if (test.classList.contains("chosen")) {
      test.classList.remove("chosen");
      light(home, []);
      home.querySelector(".chosen").textContent = "";
    }
  }));
  const first = document.querySelector(".test[open]");
  if (first) choose(first);

  // A link into a closed part opens all that it is in.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();

  // Filters.
  const bar = document.querySelector(".filters");
  if (!bar) return;
  const buttons = all("button", bar), [select, text, output] = ["select", "input", "output"].map((name) => bar.querySelector(name));
  const tests = all(".test").map((test) => ({
    test, words: `${test.querySelector("summary").textContent} ${test.querySelector(".id").textContent}`.toLowerCase(),
  }));
  const filter = () => {
    const wanted = new Set(buttons.filter((one) => one.getAttribute("aria-pressed") === "true").map((one) => one.dataset.verdict));
    const looked = text.value.trim().toLowerCase(), active = looked !== "" || select.value !== "" || wanted.size < buttons.length;
    let shown = 0;
    for (const one of tests) {
      const { verdict, suite } = one.test.dataset;
      const fits = wanted.has(verdict) && (!select.value || select.value === suite) && one.words.includes(looked);
      one.test.hidden = !fits;
      shown += fits;
    }
    all(".group, .more.suite, .group .more").forEach((part) => {
      const inside = all(".test", part);
      part.hidden = active && inside.length > 0 && inside.every((test) => test.hidden);
      if (looked !== "" && part.matches(".more") && !part.hidden) part.open = true;
    });
    output.textContent = active ? `${shown} of ${tests.length} tests` : "";
  };
  buttons.forEach((one) => one.addEventListener("click", () => {
    one.setAttribute("aria-pressed", String(one.getAttribute("aria-pressed") !== "true"));
    filter();
  }));
  select.addEventListener("change", filter);
  text.addEventListener("input", filter);
})();
