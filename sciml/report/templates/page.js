(function () {
  "use strict";
  const root = document.documentElement;

  function isDark() {
    if (root.dataset.theme) return root.dataset.theme === "dark";
    return matchMedia("(prefers-color-scheme: dark)").matches;
  }

  for (const button of document.querySelectorAll("[data-theme-toggle]")) {
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { localStorage.setItem("sciml-theme", root.dataset.theme); } catch (error) { /* storage may be closed */ }
      document.dispatchEvent(new Event("themechange"));
    });
  }

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const block = button.parentElement.querySelector("pre");
      try {
        await navigator.clipboard.writeText(block.textContent);
        button.textContent = "Copied";
      } catch (error) {
        // without the clipboard the text is at least selected
        getSelection().selectAllChildren(block);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  function make(tag, name, parent, text) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text !== undefined) element.textContent = text;
    if (parent) parent.append(element);
    return element;
  }

  function startSlider(figure) {
    const find = (role) => figure.querySelector(`[data-role="${role}"]`);
    const read = (selector) => [...figure.querySelectorAll(selector)].map((cell) => ({
      label: cell.dataset.label, note: cell.dataset.note, image: cell.querySelector("img"),
    }));
    const pictures = read(".grid.still .cell");
    const errors = read(".grid.maps .cell");
    const [stage, wipe, zooms, left, right] = ["stage", "wipe", "zooms", "left", "right"].map(find);
    const { naturalWidth: width, naturalHeight: height } = pictures[0].image;
    stage.style.aspectRatio = `${width} / ${height}`;
    stage.style.setProperty("--ratio", width / height);
    const below = make("img", "below", stage);
    const above = make("img", "above", stage);
    const edge = make("div", "edge", stage);
    const lens = make("div", "lens", stage);
    const leftTag = make("span", "tag left", stage);
    const rightTag = make("span", "tag right", stage);
    for (const image of [below, above]) image.draggable = false;

    const place = { x: 0.5, y: 0.5, size: 0.25 };
    const panes = pictures.map((picture) => {
      const cell = make("div", "zoom", zooms);
      const error = errors.find((entry) => entry.label === picture.label);
      const shown = [picture, error].filter(Boolean).map((entry, index) => {
        const canvas = make("canvas", index ? "error" : "", cell);
        canvas.width = canvas.height = 192;
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", `magnified ${index ? "error of " : ""}${picture.label}`);
        return { canvas, image: entry.image };
      });
      const label = make("div", "label", cell, picture.label);
      if (picture.note) make("span", "note", label, " " + picture.note);
      return shown;
    }).flat();

    function drawZooms() {
      const side = Math.max(8, Math.round(Math.min(width, height) * place.size));
      const x = Math.round(clamp(place.x * width - side / 2, 0, width - side));
      const y = Math.round(clamp(place.y * height - side / 2, 0, height - side));
      Object.assign(lens.style, {
        left: `${100 * x / width}%`, top: `${100 * y / height}%`,
        width: `${100 * side / width}%`, height: `${100 * side / height}%`,
      });
      for (const { canvas, image } of panes) {
        const context = canvas.getContext("2d");
        context.imageSmoothingEnabled = false;
        context.drawImage(image, x * image.naturalWidth / width, y * image.naturalHeight / height,
          side * image.naturalWidth / width, side * image.naturalHeight / height, 0, 0, canvas.width, canvas.height);
      }
      stage.dataset.place = `${x},${y},${side}`;
    }

    function drawStage() {
      const [a, b] = [pictures[left.value], pictures[right.value]];
      for (const [image, entry] of [[below, a], [above, b]]) {
        if (image.src !== entry.image.src) { image.src = entry.image.src; image.alt = entry.image.alt; }
      }
      leftTag.textContent = a.label;
      rightTag.textContent = b.label;
      above.style.clipPath = `inset(0 0 0 ${wipe.value}%)`;
      edge.style.left = `${wipe.value}%`;
      leftTag.style.opacity = wipe.value < 8 ? 0 : 1;
      rightTag.style.opacity = wipe.value > 92 ? 0 : 1;
      wipe.setAttribute("aria-valuetext", `${wipe.value} % ${a.label}, the rest ${b.label}`);
    }

    for (const control of [wipe, left, right]) control.addEventListener("input", drawStage);
    let start = null;
    const where = (event) => {
      const box = stage.getBoundingClientRect();
      return { x: clamp((event.clientX - box.left) / box.width, 0, 1), y: clamp((event.clientY - box.top) / box.height, 0, 1) };
    };
    stage.addEventListener("pointerdown", (event) => {
      start = { x: event.clientX, moved: false };
      stage.setPointerCapture(event.pointerId);
    });
    stage.addEventListener("pointermove", (event) => {
      if (!start) return;
      if (Math.abs(event.clientX - start.x) > 3) start.moved = true;
      if (start.moved) { wipe.value = Math.round(100 * where(event).x); drawStage(); }
    });
    stage.addEventListener("pointerup", (event) => {
      if (start && !start.moved) { Object.assign(place, where(event)); drawZooms(); }
      start = null;
    });
    stage.addEventListener("pointercancel", () => { start = null; });
    stage.addEventListener("keydown", (event) => {
      const step = place.size / 6;
      const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
      const half = place.size / 2;
      if (moves[event.key]) {
        place.x = clamp(place.x + moves[event.key][0], half * Math.min(1, height / width), 1 - half * Math.min(1, height / width));
        place.y = clamp(place.y + moves[event.key][1], half * Math.min(1, width / height), 1 - half * Math.min(1, width / height));
      } else if (event.key === "+" || event.key === "=") place.size = clamp(place.size / 1.4, 0.06, 0.8);
      else if (event.key === "-") place.size = clamp(place.size * 1.4, 0.06, 0.8);
      else return;
      event.preventDefault();
      drawZooms();
    });
    drawStage();
    drawZooms();
  }

  function startScrubber(figure) {
    const data = JSON.parse(figure.querySelector("script").textContent);
    const range = figure.querySelector('[data-role="position"]');
    const play = figure.querySelector('[data-role="play"]');
    const output = figure.querySelector("output");
    const images = [...figure.querySelectorAll(".grid img")];
    images.forEach((image, index) => { data.frames[index][data.start] = image.src; });

    function show() {
      const position = Number(range.value);
      images.forEach((image, index) => {
        image.src = data.frames[index][position];
        image.alt = `${data.labels[index]}, ${data.positions[position]}: ${data.alt}`;
      });
      output.textContent = data.positions[position];
      range.setAttribute("aria-valuetext", data.positions[position]);
    }

    let timer = null;
    function stop() {
      clearInterval(timer);
      timer = null;
      play.textContent = "▶ Play";
      play.setAttribute("aria-pressed", "false");
    }
    range.addEventListener("input", () => { if (timer) stop(); show(); });
    play.addEventListener("click", () => {
      if (timer) { stop(); return; }
      play.textContent = "❚❚ Pause";
      play.setAttribute("aria-pressed", "true");
      timer = setInterval(() => {
        range.value = (Number(range.value) + 1) % data.positions.length;
        show();
      }, 250);
    });
  }

  async function whenDecoded(figure, start) {
    await Promise.all([...figure.querySelectorAll("img")].map((image) => image.decode().catch(() => {})));
    start(figure);
    figure.dataset.ready = "true";
  }
  for (const figure of document.querySelectorAll("[data-slider]")) whenDecoded(figure, startSlider);
  for (const figure of document.querySelectorAll("[data-scrubber]")) whenDecoded(figure, startScrubber);

  // several pictures of one kind share one place
  function pick(menu, chosen) {
    for (const item of menu.querySelectorAll(".case")) item.hidden = item !== chosen;
    menu.querySelector("select").value = chosen.dataset.case;
  }
  for (const menu of document.querySelectorAll("[data-menu]")) {
    const cases = [...menu.querySelectorAll(".case")];
    menu.querySelector("select").addEventListener("input", (event) => pick(menu, cases[event.target.value]));
    pick(menu, cases[0]);
  }

  const list = document.querySelector("[data-tabs]");
  const tabs = list ? [...list.querySelectorAll("a")] : [];
  const panelOf = (tab) => document.getElementById(tab.hash.slice(1));

  function choose(chosen) {
    for (const tab of tabs) {
      const on = tab === chosen;
      tab.setAttribute("aria-selected", on);
      tab.tabIndex = on ? 0 : -1;
      panelOf(tab).hidden = !on;
    }
  }

  if (list) {
    list.setAttribute("role", "tablist");
    list.setAttribute("aria-label", "Results by topic");
    for (const tab of tabs) {
      tab.parentElement.setAttribute("role", "presentation");
      tab.setAttribute("role", "tab");
      tab.id = `${tab.hash.slice(1)}-tab`;
      tab.setAttribute("aria-controls", tab.hash.slice(1));
      panelOf(tab).setAttribute("role", "tabpanel");
      panelOf(tab).setAttribute("aria-labelledby", tab.id);
      panelOf(tab).tabIndex = 0;
      tab.addEventListener("click", (event) => { event.preventDefault(); choose(tab); });
    }
    list.addEventListener("keydown", (event) => {
      const place = tabs.indexOf(document.activeElement);
      const moves = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: tabs.length - 1 };
      if (event.key === " ") { event.preventDefault(); choose(tabs[place]); }
      if (!(event.key in moves)) return;
      event.preventDefault();
      const next = tabs[(moves[event.key] + tabs.length) % tabs.length];
      choose(next);
      next.focus();
    });
    choose(tabs[0]);
  }

  // rows of a matrix that a filter leaves out are hidden, fields dimmed, and columns of which no field is left
  for (const matrix of document.querySelectorAll("[data-matrix]")) {
    const selects = [...matrix.querySelectorAll("[data-filter]")];
    const rows = [...matrix.querySelectorAll("tbody tr")];
    const fits = (element) => selects.every(({ value, dataset }) => !value || !(dataset.filter in element.dataset) || element.dataset[dataset.filter] === value);
    const show = () => {
      for (const row of rows) {
        row.hidden = !fits(row);
        for (const cell of row.querySelectorAll(".field")) cell.classList.toggle("dim", !fits(cell));
      }
      for (const [place, head] of [...matrix.querySelectorAll("thead th")].entries()) {
        const cells = rows.filter((row) => !row.hidden).map((row) => row.cells[place + 1]);
        head.hidden = !cells.some((cell) => cell.matches(".field:not(.dim)"));
        for (const row of rows) row.cells[place + 1].hidden = head.hidden;
      }
    };
    for (const select of selects) select.addEventListener("change", show);
  }

  // the contents list marks the part that is read, keeps it in sight and folds all groups but its own
  const contents = document.querySelector("nav");
  const marked = [...document.querySelectorAll("nav a")].map((link) => ({ link, target: document.getElementById(link.hash.slice(1)) }));
  // where a link led counts until the reader moves on
  let followed = null;
  for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"]) addEventListener(kind, () => { followed = null; }, { passive: true });
  function mark() {
    // what stands on the last screen never reaches its upper edge: there the line of reading goes down to the lower one
    const left = root.scrollHeight - innerHeight - scrollY;
    const line = innerHeight * (0.16 + 0.84 * clamp(1 - left / innerHeight, 0, 1));
    const started = marked.filter(({ target }) => target.getClientRects().length && target.getBoundingClientRect().top <= line);
    const current = (marked.find(({ target }) => target === followed) || started.at(-1) || marked[0]).link;
    for (const { link } of marked) link.toggleAttribute("aria-current", link === current);
    for (const item of contents.querySelectorAll("li")) item.classList.toggle("open", item.contains(current));
    const box = contents.getBoundingClientRect();
    const { top, bottom } = current.getBoundingClientRect();
    if (top < box.top || bottom > box.bottom) contents.scrollTop += (top + bottom - box.top - box.bottom) / 2;
  }
  if (contents) {
    let waiting = false;
    const soon = () => {
      if (!waiting) requestAnimationFrame(() => { waiting = false; mark(); });
      waiting = true;
    };
    addEventListener("scroll", soon, { passive: true });
    new ResizeObserver(soon).observe(document.body);
  }

  // what a link points at is opened first, wherever it is folded
  function reveal(target) {
    for (let node = target; node; node = node.parentElement) {
      if (node.hidden && node.matches(".case")) pick(node.closest("[data-menu]"), node);
      else if (node.hidden) choose(tabs.find((tab) => panelOf(tab) === node));
      if (node.matches("details")) node.open = true;
    }
    const fold = target.querySelector(":scope > details.fold");
    if (fold) fold.open = true;
    target.scrollIntoView();
  }
  function follow(hash) {
    const target = hash.length > 1 && document.getElementById(decodeURIComponent(hash.slice(1)));
    if (!target) return;
    reveal(target);
    followed = target;
    if (contents) mark();
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]:not([role="tab"])');
    if (link) follow(link.hash);
  });
  addEventListener("hashchange", () => follow(location.hash));
  follow(location.hash);

  // paper shows what is folded
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details:not(.record, .record *)")) details.open = true;
  });
})();
